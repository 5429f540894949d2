#!/bin/sh
# The main job from end to end on synthetic scenes: make data, train, evaluate, detect. `make demo` calls it.
set -eu
cd "$(dirname "$0")/.."
OUT=demo
CONFIG=configs/det/quickstart.yml

say() { printf '\n== %s\n' "$1"; }

say "1/4 pictures with labelled text: $OUT/data"
[ -f "$OUT/data/val_label.txt" ] ||
    ppocr-pse make-synthetic --out "$OUT/data" --count 480 --val 48 --style easy --size 384x512 --words 2 6 --height 24 80 --seed 1

say "2/4 training $CONFIG, a few minutes on two cores"
rm -rf "$OUT/model" "$OUT/found"
ppocr-pse train -c "$CONFIG"

say "3/4 evaluation on pictures that training has not seen"
ppocr-pse eval -c "$CONFIG" -o Global.checkpoints="$OUT/model/best_accuracy" >"$OUT/eval.log"
cat "$OUT/eval.log"

say "4/4 detection over a folder"
mkdir -p "$OUT/photos"
cut -f 1 "$OUT/data/val_label.txt" | head -n 12 | while read -r name; do cp "$OUT/data/$name" "$OUT/photos/"; done
ppocr-pse infer -c "$CONFIG" -o Global.pretrained_model="$OUT/model/best_accuracy" Global.infer_img="$OUT/photos"

HMEAN=$(sed -n 's/.*hmean: \([0-9.]*\).*/\1/p' "$OUT/eval.log")
cat <<END

Done. hmean on held-out pictures: $HMEAN
  checkpoint     $OUT/model/best_accuracy.pdparams
  curves         $OUT/model/curves.png
  drawn pictures $OUT/found/det_results/
  result lines   $OUT/found/results.txt

Next, try your own pictures:
  .venv/bin/ppocr-pse infer --scores -c $CONFIG \\
      -o Global.pretrained_model=$OUT/model/best_accuracy Global.infer_img=YOUR_FOLDER Global.save_res_path=$OUT/yours/results.txt
END
