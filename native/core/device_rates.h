#pragma once

#include "ggml-backend.h"

namespace vcap {

/** How fast a device is at what a model mostly does: the best of several runs each. */
struct DeviceRates {
    double half_products;    // FLOP/s of a large product of F16 weights
    double float_products;   // FLOP/s of the same with weights in F32
    double reading;          // bytes/s at which a product with one column reads F16 weights
    double upload;           // bytes/s from this process's memory to the device's
};

/**
 * Measures a device for some seconds. `side`: of the square matrices, in numbers, a multiple of 32; the larger one that
 * is read is 4 · side · side. `threads`: where the device is the CPU. Throws out_of_memory, device_unavailable.
 */
DeviceRates measure_device(ggml_backend_dev_t device, int side, int threads);

}   // namespace vcap
