#!/bin/sh
# s3-server ADDRESS FOLDER KEYS: serve the folder's folders as buckets. KEYS is a file with `access,secret`.
set -eu
# In the environment (as a list of one, so in quotes): everybody in the container sees arguments.
RCLONE_AUTH_KEY="\"$(cat "$3")\"" RCLONE_CONFIG=/dev/null RCLONE_CACHE_DIR=/tmp \
  exec rclone serve s3 "$2" --addr "$1" --no-checksum
