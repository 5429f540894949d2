#!/bin/sh
# Build the extension under AddressSanitizer and UndefinedBehaviorSanitizer in a copy of the package and run the
# post-processing tests on it. Usage: tests/postprocess/sanitize.sh [PYTHON]; run from the project's root, needs gcc.
set -eu
PYTHON=$(command -v "${1:-python3}")
case $PYTHON in /*) ;; *) PYTHON=$PWD/$PYTHON ;; esac
COPY=$(mktemp -d)
trap 'rm -rf "$COPY"' EXIT
cp -r ppocr_pse setup.py pyproject.toml requirements.txt "$COPY"
mkdir -p "$COPY/tests/golden"
cp -r tests/postprocess "$COPY/tests"
cp tests/golden/pse_*.npz "$COPY/tests/golden"
find "$COPY" -name '*.so' -delete
touch "$COPY/README.md"
cd "$COPY"
FLAGS="-g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
CC=gcc CXX=g++ CFLAGS="$FLAGS" LDFLAGS="$FLAGS" "$PYTHON" setup.py -q build_ext --inplace
# The interpreter is not instrumented, so the runtime must be there before it; its own leaks are not our subject.
export ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)"
"$PYTHON" -c "import ppocr_pse.postprocess._C as c, os; assert os.getcwd() in c.__file__, c.__file__"
"$PYTHON" -m pytest tests/postprocess -q -p no:cacheprovider --ignore tests/postprocess/test_pse_paddle.py
echo "sanitizers: nothing found"
