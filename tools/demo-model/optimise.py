"""Optimiser: Muon for the hidden matrices, AdamW for everything else, one schedule for both."""

import math
import time

import torch


class Optimiser:
    def __init__(self, modules, steps, muon=4e-3, adam=2e-3, warmup=60, floor=0.03, seconds=math.inf):
        """`modules`: (module, factor of the learning rates) pairs. `steps` is the length of the schedule: a linear
        warm-up, then a cosine down to `floor` of the peak. Where `seconds` run out first, the schedule ends with them.
        """
        hidden, rest = [], []
        for module, factor in modules:
            for name, p in module.named_parameters():
                if not p.requires_grad:
                    continue
                inner = p.dim() == 2 and ("blocks." in name or "layers." in name or "linear_" in name)
                peak = factor * (muon if inner else adam)
                (hidden if inner else rest).append(dict(params=[p], lr=peak))
        self.parameters = [g["params"][0] for g in hidden + rest]
        self.parts = [torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=0.0)]
        if hidden:
            self.parts.append(torch.optim.Muon(hidden, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"))
        self.peaks = [[g["lr"] for g in part.param_groups] for part in self.parts]
        self.steps, self.warmup, self.floor, self.at = steps, warmup, floor, 0
        self.begin, self.seconds = time.time(), seconds

    @property
    def done(self):
        """Share of the schedule that is over, 0..1."""
        return min(max(self.at / self.steps, (time.time() - self.begin) / self.seconds), 1)

    def step(self, loss):
        for p in self.parameters:
            p.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        done = self.done
        scale = min((self.at + 1) / self.warmup, self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done)))
        for part, peaks in zip(self.parts, self.peaks):
            for group, peak in zip(part.param_groups, peaks):
                group["lr"] = peak * scale
            part.step()
        self.at += 1
