"""Takes frames with OpenCV, as the reference does.

Reads {"files", "indices"}, one JSON object a line, and answers with the seconds it took, the CPU seconds, and every
997th byte of the frames.
"""
import json
import sys
import time

import cv2


def extract(file, indices):
    capture = cv2.VideoCapture(file)
    capture.get(cv2.CAP_PROP_FRAME_COUNT)  # as the reference does
    frames = []
    for index in indices:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        read, frame = capture.read()
        if not read:
            raise RuntimeError("the frame is not there")
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    return frames


for line in sys.stdin:
    order = json.loads(line)
    started, cpu = time.perf_counter(), time.process_time()
    frames = [frame for file in order["files"] for frame in extract(file, order["indices"])]
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    samples = [frame.reshape(-1)[::997].tolist() for frame in frames]
    print(json.dumps({"seconds": seconds, "cpu": cpu, "samples": samples}), flush=True)
