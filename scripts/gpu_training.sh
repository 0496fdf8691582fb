#!/usr/bin/env bash
# Train `refiner` on a lent GPU machine without internet, within one loan.
#
#   scripts/gpu_training.sh prepare FACES TEACHER   here, after `gpu_day.sh prepare`: faces and labels into .wheels/4
#   scripts/gpu_training.sh take                    there, with .wheels/4 carried: unpack them
#   scripts/gpu_training.sh start SECONDS           there, after `gpu_day.sh part` 1 to 3: train in the background
#   scripts/gpu_training.sh look SECONDS            there: wait, then tell how far it is
#   scripts/gpu_training.sh collect                 there: what came of it into $OUT, in files of at most 15 MB
#
# Learnt on an H100 with 16 cores that goes back 30 s after a call: what `start` begins outlives its call, so call `look`
# again and again. Look at what `collect` brought, and join checkpoint.pt.*, before the machine is given back: nothing
# can be fetched after that. A `pkill -f training` typed into a call ends the call itself. It goes on from what ships.
set -eu
cd "$(dirname "$0")/.."

CARRIED=/tmp/rtswap-carried UNPACKED=/tmp/rtswap-site   # as in gpu_day.sh
DATA=/tmp/rtswap-data TREE=/tmp/rtswap-training RESULT=/tmp/rtswap-trained
ENDING=25   # seconds, of which the exports take most

prepare() {
  local faces=$1 teacher=$2 work; work=$(mktemp -d)
  mkdir -p "$work/faces" .wheels/4
  cp "$faces"/*.jpg "$faces"/faces.npz "$work/faces"
  .venv/bin/python -c "
import sys; from pathlib import Path; from training.landmarks.teacher import load_or_label
load_or_label(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))" "$faces" "$teacher" "$work/labels.npz"
  tar cf .wheels/4/faces.tar -C "$work" . && rm -rf "$work" && du -sb .wheels/4
}

take() { mkdir -p $DATA && tar xf .wheels/4/faces.tar -C $DATA && ls $DATA/faces | wc -l; }

start() {
  bash scripts/gpu_day.sh unpack
  rm -rf $TREE && cp -r . $TREE && mkdir -p $RESULT/run && cp -n $DATA/labels.npz $RESULT/run/
  echo $(($(date +%s) + $1)) > $RESULT/end
  setsid bash $TREE/scripts/gpu_training.sh train > $RESULT/train.log 2>&1 < /dev/null &
  sleep 10
}

train() {  # in $TREE
  local end; end=$(($(cat $RESULT/end) - ENDING))
  export PYTHONUNBUFFERED=1 MPLBACKEND=Agg PYTHONPATH=$PWD:$UNPACKED/site312
  python3 -m training.refiner --minutes 60 --until $end --faces $DATA/faces --teacher none --out $RESULT/run --threads 4 \
    --begin-from rtswap/assets/refiner.onnx --makers 13 --shards 600 --least 24 --true 144 --cross 48 > $RESULT/run.log 2>&1
  python3 -m training.refiner.export --checkpoint $RESULT/run/checkpoint.pt --to $RESULT/refiner.onnx
}

look() {
  sleep "$1"
  echo "left $(($(cat $RESULT/end) - $(date +%s))) s; pairs: $(find $RESULT -path '*pairs-train*' -name '*.npz' | wc -l) files"
  { grep -v '^views' $RESULT/run.log || true; } 2> /dev/null | tail -n 2 | cut -c 1-400
  nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader
}

collect() {
  split -b 15000000 -d -a 1 $RESULT/run/checkpoint.pt "$OUT/checkpoint.pt."
  tar cJf "$OUT/network.txz" -C $RESULT refiner.onnx run.log train.log run/history.json
  find $RESULT/run -name 'contact-*.png' | sort | tail -n 1 | xargs -r -I{} cp {} "$OUT/contact.png"
  ls -l "$OUT"
}

case ${1:-} in
  prepare) prepare "${2:?folder of faces}" "${3:?facemesh.onnx}" ;;
  take | train | collect) "$1" ;;
  start | look) "$1" "${2:?seconds}" ;;
  *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
