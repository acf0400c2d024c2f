#!/usr/bin/env bash
# The whole way on simulated recordings: simulate, check, train, evaluate, predict.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
make_environment
PATH="$PWD/.venv/bin:$PATH"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { say "\$ $*"; "$@"; }

# What an earlier demo made is made again; nothing else lies in these folders.
rm -rf data/demo runs/demo
run faultdiag simulate --out data/demo/training --load 0 --load 1
run faultdiag check --config configs/demo.yaml --set data.root=data/demo/training
run faultdiag train --config configs/demo.yaml --set data.root=data/demo/training --run runs/demo
run faultdiag eval runs/demo --snr 0 --snr 10

say "Recordings the training never saw: the same machine at another load."
run faultdiag simulate --out data/demo/new --load 2
run faultdiag predict runs/demo data/demo/new --out runs/demo/diagnoses.csv
cut -d, -f1-5,7 runs/demo/diagnoses.csv
printf '%s\n' "They are 99 healthy; 107, 171, 211 inner race; 120, 187, 224 ball; 132, 199, 236 outer race," \
    "each of size 007, 014, 021."
run faultdiag inspect data/demo/new/107.mat

say "Results: runs/demo (metrics.json, confusion.png, curves.png, best.pt, diagnoses.csv)"
