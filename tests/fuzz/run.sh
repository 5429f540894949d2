#!/bin/sh
# Fuzz the post-processing. Usage: tests/fuzz/run.sh [SECONDS]; run from the project's root.
# Needs clang with its runtime (Debian: apt-get install clang libclang-rt-14-dev). Inputs that break something are
# left in build/fuzz/.
set -eu
SECONDS_TO_RUN=${1:-600}
CLANGXX=${CLANGXX:-clang++}
OUT=build/fuzz
mkdir -p "$OUT/corpus"
SOURCES=$(ls ppocr_pse/postprocess/csrc/*.cpp | grep -v bindings.cpp)
# shellcheck disable=SC2086
"$CLANGXX" -std=c++17 -O2 -g -ffp-contract=off -pthread -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=all -Ippocr_pse/postprocess/csrc $SOURCES tests/fuzz/fuzz_postprocess.cpp -o "$OUT/postprocess"
"$OUT/postprocess" -max_total_time="$SECONDS_TO_RUN" -max_len=12000 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="$OUT/" "$OUT/corpus"
