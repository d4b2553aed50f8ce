"""Trains the demo model from random weights and exports it: `python train.py --work DIR --out DIR`. See README.md.

Stages leave checkpoints in the work folder; a stage whose checkpoint is there is not run again (`--from STAGE` runs it
and what follows anew).
"""

import argparse
import math
import os
import pathlib
import time

# Threads that spin for long at barriers become very slow beside other busy processes.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import numpy as np
import torch

import captioner
import export
import tokenizer
import tower
import world
from hf import from_hf
from model import TEXT, Llava
from optimise import Optimiser
from render import Renderer

STAGES = ["tower", "overview", "real", "polish", "pooled"]
STEPS = dict(tower=1000, overview=280, real=480, polish=600, pooled=500)
TILES = dict(tower=128, overview=120, real=120, polish=120, pooled=120)  # tiles in a batch of each stage


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of checkpoints")
    parser.add_argument("--out", type=pathlib.Path, help="folder for the two GGUF files")
    parser.add_argument("--from", dest="start", choices=STAGES, help="run this stage and the later ones anew")
    parser.add_argument("--weights", type=pathlib.Path, help="folder of exported files that --from goes on with")
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1])
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="most time for the last stage; its schedule shrinks"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.weights and not args.start:
        parser.error("--weights needs --from: the stage that goes on with them")
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model = from_hf(export.load_hf(args.weights)) if args.weights else Llava(tokenizer.SIZE)
    texts = captioner.Texts()
    renderer = Renderer(args.seed)
    probe = torch.nn.Linear(TEXT["width"], len(world.MOTIONS))
    begin = time.time()
    log = lambda text: print(f"{time.time() - begin:5.0f} s  {text}", flush=True)
    forced = False
    first = STAGES.index(args.start) if args.weights else 0
    for number, stage in enumerate(STAGES[first : STAGES.index(args.until) + 1], first):
        file = args.work / f"{stage}.pt"
        forced = forced or stage == args.start
        if file.exists() and not forced:
            model.load_state_dict(torch.load(file))
            log(f"{stage}: taken from {file}")
            continue
        save = lambda: torch.save(model.state_dict(), args.work / f"{stage}.part")
        rng = np.random.default_rng([args.seed, number])
        torch.manual_seed(args.seed + number)
        steps, started = STEPS[stage], time.time()
        if stage == "tower":
            heads = tower.Heads()
            optimiser = Optimiser([(model.tower, 1), (heads, 1)], steps)
            tower.train(model.tower, heads, renderer, rng, optimiser, steps, TILES[stage], log, save)
        else:
            size = TILES[stage]
            fast = torch.compile(model.tower.forward, dynamic=False)
            model.features = lambda tiles: (fast if len(tiles) == size else model.tower)(tiles)
            if stage == "overview":
                batches = captioner.drawn(renderer, rng, size, False)
                modules = [(model.tower, 0.25), (model.language, 1), (torch.nn.ParameterList([model.newline]), 1)]
            elif stage == "pooled":
                pooled = captioner.pooled(renderer, rng, size)
                batches, modules = captioner.mixed(rng, captioner.real(rng, size), pooled, 0.5), [(model, 0.35)]
            else:
                batches, modules = captioner.real(rng, size), [(model, 0.5)]
            seconds = 60 * args.minutes if stage == args.until else math.inf
            optimiser = Optimiser(modules + [(probe, 1)], steps, warmup=30, seconds=seconds)
            head = None if stage in ("polish", "pooled") else probe
            captioner.train(model, head, texts, rng, batches, optimiser, steps, log, save, stage)
        log(f"{stage}: {time.time() - started:.0f} s")
        (args.work / f"{stage}.part").rename(file)
    if args.out:
        export.export(model, args.out)


if __name__ == "__main__":
    main()
