#!/bin/bash
# Start a training again for as long as it stops in order (exit code 75), such as with Global.max_minutes, where no
# job manager does that.
#
#   examples/until_done.sh python3 -u -m paddle.distributed.launch --gpus 0,1,2,3 tools/train.py \
#       -c configs/det/det_r50_vd_pse.yml -o Global.checkpoints=auto Global.max_minutes=120
set -u

child=
stopped=no
trap 'stopped=yes; [ -z "$child" ] || kill -TERM "$child"' TERM INT

while true; do
  "$@" &
  child=$!
  [ "$stopped" = no ] || kill -TERM "$child" # the signal came just before
  wait "$child"
  code=$?
  while kill -0 "$child" 2> /dev/null; do # a trap ended the wait
    wait "$child"
    code=$?
  done
  if [ "$code" -ne 75 ] || [ "$stopped" = yes ]; then
    exit "$code"
  fi
  echo "stopped in order (75), starting again"
done
