#!/bin/sh
# OpenCV and Paddle need three system libraries that pip cannot bring. `make install` calls this with the Python of
# the virtual environment: it looks whether they load and, where it may, installs them.
set -u
PYTHON=$1
PACKAGES="libgl1 libglib2.0-0 libgomp1"

loads() { "$PYTHON" -c "import cv2, paddle" 2>&1; }

TOLD=$(loads) && exit 0
case "$TOLD" in
    *"cannot open shared object file"*) ;;
    *) printf '%s\n' "$TOLD" >&2; exit 1 ;;
esac
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing system packages: $PACKAGES"
    # shellcheck disable=SC2086
    apt-get update -qq && apt-get install -qq -y --no-install-recommends $PACKAGES >/dev/null
    TOLD=$(loads) && exit 0
fi
printf '%s\n' "$TOLD" | tail -n 1 >&2
echo "A system library is missing. On Debian or Ubuntu: apt-get install $PACKAGES; then run make again." >&2
exit 1
