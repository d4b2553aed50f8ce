#include "check.h"
#include "core/cuda_gpus.h"

using vcap::runs_on_gpu;

TEST("cuda gpus: which GPUs a list of architectures serves") {
    // Machine code: the same generation, this minor or later.
    CHECK(runs_on_gpu("80-real", 8, 0) && runs_on_gpu("80-real", 8, 6) && runs_on_gpu("86-real", 8, 9));
    CHECK(!runs_on_gpu("86-real", 8, 0) && !runs_on_gpu("80-real", 9, 0) && !runs_on_gpu("89-real", 7, 5));
    // Intermediate code, which a plain number has too: everything later.
    CHECK(runs_on_gpu("75-virtual", 9, 0) && runs_on_gpu("80", 10, 0) && runs_on_gpu("80", 12, 0));
    CHECK(!runs_on_gpu("80-virtual", 7, 5) && !runs_on_gpu("90", 8, 9));
    // With a letter, and generation 12, whose entries ggml makes such: that GPU alone.
    CHECK(runs_on_gpu("90a", 9, 0) && runs_on_gpu("90a-real", 9, 0) && runs_on_gpu("120a-real", 12, 0));
    CHECK(!runs_on_gpu("90a", 10, 0) && !runs_on_gpu("90a-real", 8, 0) && !runs_on_gpu("120", 12, 1));
    // The default list.
    for (const int gpu : {80, 86, 87, 89, 90, 100, 103, 110, 120, 121}) {
        CHECK(runs_on_gpu("80-real;86-real;89-real;90a-real;90-virtual;120a-real", gpu / 10, gpu % 10));
    }
    CHECK(!runs_on_gpu("80-real;86-real;89-real;90a-real;90-virtual;120a-real", 7, 5));
    CHECK(runs_on_gpu("native", 8, 0) && runs_on_gpu("all-major", 9, 0));
    CHECK(!runs_on_gpu("", 8, 0) && !runs_on_gpu(";;", 8, 0));
}
