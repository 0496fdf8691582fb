#!/usr/bin/env bash
# Train `refiner-128` and then `refiner-256` on a lent GPU machine without internet, within one loan.
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
  rm -rf $TREE && cp -r . $TREE && mkdir -p $RESULT/one $RESULT/fine && cp -n $DATA/labels.npz $RESULT/one/
  echo $(($(date +%s) + $1)) > $RESULT/end
  setsid bash $TREE/scripts/gpu_training.sh train > $RESULT/train.log 2>&1 < /dev/null &
  sleep 10
}

train() {  # in $TREE: two thirds of the time for 128 px, the rest for the finer level on top
  local begin end; begin=$(date +%s) end=$(($(cat $RESULT/end) - ENDING))
  export PYTHONUNBUFFERED=1 MPLBACKEND=Agg PYTHONPATH=$PWD:$UNPACKED/site312
  local given="--minutes 60 --faces $DATA/faces --teacher none --cache $RESULT/one --threads 4 --settled 0"
  mkdir -p $RESULT/ships && cp rtswap/assets/refiner-128*.onnx $RESULT/ships
  # shellcheck disable=SC2086
  python3 -m training.refiner $given --until $((begin + (end - begin) * 2 / 3)) --begin-from $RESULT/ships \
    --out $RESULT/one --makers 13 --shards 600 --least 24 --true 144 --cross 48 --rate 5e-4 > $RESULT/one.log 2>&1
  python3 -m training.refiner.export --checkpoint $RESULT/one/checkpoint.pt --to $RESULT/ships
  # shellcheck disable=SC2086
  python3 -m training.refiner $given --until $end --begin-from $RESULT/ships --size 256 \
    --out $RESULT/fine --makers 13 --shards 240 --least 13 --true 48 --cross 16 --rate 3e-4 > $RESULT/fine.log 2>&1
  python3 -m training.refiner.export --checkpoint $RESULT/fine/checkpoint.pt --size 256 --to $RESULT/ships
}

look() {
  sleep "$1"
  echo "left $(($(cat $RESULT/end) - $(date +%s))) s; pairs: $(find $RESULT -path '*pairs-train*' -name '*.npz' | wc -l) files"
  for name in one fine; do { grep -v '^views' $RESULT/$name.log || true; } 2> /dev/null | tail -n 2 | cut -c 1-400; done
  nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader
}

collect() {
  for name in one fine; do
    split -b 15000000 -d -a 1 $RESULT/$name/checkpoint.pt "$OUT/$name-checkpoint.pt."
  done
  tar cJf "$OUT/networks.txz" -C $RESULT ships one.log fine.log train.log one/history.json fine/history.json
  for name in one fine; do
    find $RESULT/$name -name 'contact-*.png' | sort | tail -n 1 | xargs -r -I{} cp {} "$OUT/$name.png"
  done
  ls -l "$OUT"
}

case ${1:-} in
  prepare) prepare "${2:?folder of faces}" "${3:?facemesh.onnx}" ;;
  take | train | collect) "$1" ;;
  start | look) "$1" "${2:?seconds}" ;;
  *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
