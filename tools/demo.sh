#!/bin/sh
# The main jobs from end to end: detect with the detector in the box, fine-tune it on synthetic scenes, compare.
# `make demo` calls it.
set -eu
cd "$(dirname "$0")/.."
OUT=demo
CONFIG=configs/det/finetune_demo.yml

say() { printf '\n== %s\n' "$1"; }
hmean() { printf %.3f "$(sed -n 's/.*metric, .*hmean: \([0-9.]*\).*/\1/p' "$1" | tail -n 1)"; }
detect() { ppocr-pse infer -c "$CONFIG" -o Global.infer_img="$OUT/pictures" Global.save_res_path="$OUT/$1/results.txt" "$2"; }

say "1/5 the detector in the box, on photographs: examples/photos"
rm -rf "$OUT/model" "$OUT/data" "$OUT/photos" "$OUT/pictures" "$OUT/before" "$OUT/after"
ppocr-pse infer examples/photos --output "$OUT/photos"

say "2/5 pictures of a kind that it does not know, with their labels: $OUT/data"
ppocr-pse make-synthetic --out "$OUT/data" --count 160 --val 40 --size 480x640 --curved 0.7 --words 2 8 \
    --height 18 70 --empty 0 --seed 5
mkdir -p "$OUT/pictures"
cut -f 1 "$OUT/data/val_label.txt" | head -n 12 | while read -r name; do cp "$OUT/data/$name" "$OUT/pictures/"; done

say "3/5 its score on them before training"
mkdir -p "$OUT/before" "$OUT/after"
ppocr-pse eval -c "$CONFIG" >"$OUT/before/eval.log"
tail -n 4 "$OUT/before/eval.log"

say "4/5 fine-tuning with $CONFIG, about three minutes on two cores"
ppocr-pse train -c "$CONFIG"

say "5/5 its score after training, and both drawn side by side"
BEST="Global.checkpoints=$OUT/model/best_accuracy"
ppocr-pse eval -c "$CONFIG" -o "$BEST" >"$OUT/after/eval.log"
tail -n 4 "$OUT/after/eval.log"
detect before Global.checkpoints=
detect after "$BEST"
python3 tools/before_after.py --data "$OUT/data" --labels "$OUT/data/val_label.txt" \
    --before "$OUT/before/results.txt" --after "$OUT/after/results.txt" --out "$OUT/before_after.jpg"

cat <<END

Done. hmean on held-out pictures: before $(hmean "$OUT/before/eval.log"), after $(hmean "$OUT/after/eval.log")
  photographs      $OUT/photos/det_results/
  before and after $OUT/before_after.jpg
  checkpoint       $OUT/model/best_accuracy.pdparams
  curves           $OUT/model/curves.png

Next, detect in your own pictures with the detector in the box, then fine-tune it to them (docs/finetune.md):
  .venv/bin/ppocr-pse infer YOUR_FOLDER --output found
  .venv/bin/ppocr-pse train -c configs/det/finetune_mv3_pse.yml -o \\
      Train.dataset.data_dir=DIR Train.dataset.label_file_list=[DIR/train.txt] \\
      Eval.dataset.data_dir=DIR Eval.dataset.label_file_list=[DIR/test.txt]
END
