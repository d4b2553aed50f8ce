#include "binding/testing.h"

#include <cstring>

#include "binding/errors.h"
#include "binding/from_js.h"
#include "core/device_rates.h"
#include "core/devices.h"
#include "core/vision/llava/cut.h"

namespace vcap {
namespace {

/** `{ tileSize, patchSize, pinpoints, aspect, merge }`: lengths in pixels. */
llava::TileGeometry to_geometry(const Napi::Object & object) {
    llava::TileGeometry geometry;
    geometry.tile_size = object.Get("tileSize").ToNumber();
    geometry.patch_size = object.Get("patchSize").ToNumber();
    geometry.aspect = object.Get("aspect").ToString();
    geometry.merge = object.Get("merge").ToString();
    const Napi::Array pairs = object.Get("pinpoints").As<Napi::Array>();
    for (uint32_t i = 0; i < pairs.Length(); i++) {
        const Napi::Object pair = pairs.Get(i).ToObject();
        geometry.pinpoints.emplace_back(pair.Get(0u).ToNumber().Int32Value(), pair.Get(1u).ToNumber().Int32Value());
    }
    return geometry;
}

int to_bound(const Napi::Value & value) {
    const double bound = value.ToNumber();
    return bound < INT32_MAX ? static_cast<int>(bound) : INT32_MAX;
}

/** layout(geometry, width, height, maxTiles) */
Napi::Value layout(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const llava::TileLayout layout = llava::tile_layout(to_geometry(info[0].ToObject()), info[1].ToNumber(),
                                                            info[2].ToNumber(), to_bound(info[3]));
        Napi::Object object = Napi::Object::New(env);
        object.Set("cols", layout.cols);
        object.Set("rows", layout.rows);
        object.Set("resizedWidth", layout.resized_width);
        object.Set("resizedHeight", layout.resized_height);
        object.Set("padLeft", layout.pad_left);
        object.Set("padTop", layout.pad_top);
        object.Set("keptCols", layout.kept_cols);
        object.Set("keptRows", layout.kept_rows);
        object.Set("tiles", layout.tiles());
        object.Set("tokens", layout.tokens);
        return object;
    });
}

/** cut(geometry, picture, maxTiles) */
Napi::Value cut(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const llava::TileGeometry geometry = to_geometry(info[0].ToObject());
        const Picture picture = to_picture(info[1]);
        const auto [width, height] = picture.size;
        const llava::TileLayout layout = llava::tile_layout(geometry, width, height, to_bound(info[2]));
        const std::vector<uint8_t> tiles = llava::cut_tiles(geometry, picture, layout);
        Napi::Uint8Array pixels = Napi::Uint8Array::New(env, tiles.size());
        std::memcpy(pixels.Data(), tiles.data(), tiles.size());
        Napi::Object object = Napi::Object::New(env);
        object.Set("pixels", pixels);
        object.Set("cols", layout.cols);
        object.Set("rows", layout.rows);
        return object;
    });
}

/** bytesCopied() */
Napi::Value copied(const Napi::CallbackInfo & info) {
    return Napi::Number::New(info.Env(), static_cast<double>(bytes_copied));
}

/** deviceRates(name, side, threads) */
Napi::Value device_rates(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const std::vector<ggml_backend_dev_t> found = find_devices({info[0].ToString()});
        const DeviceRates rates = measure_device(found.front(), info[1].ToNumber(), info[2].ToNumber());
        Napi::Object object = Napi::Object::New(env);
        object.Set("halfProducts", rates.half_products);
        object.Set("floatProducts", rates.float_products);
        object.Set("reading", rates.reading);
        object.Set("upload", rates.upload);
        return object;
    });
}

/** serveRpc(endpoint) */
Napi::Value serve_rpc(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        serve_cpu(info[0].ToString());
        return env.Undefined();
    });
}

}   // namespace

Napi::Object testing(Napi::Env env) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("layout", Napi::Function::New(env, layout));
    object.Set("cut", Napi::Function::New(env, cut));
    object.Set("bytesCopied", Napi::Function::New(env, copied));
    object.Set("deviceRates", Napi::Function::New(env, device_rates));
    object.Set("serveRpc", Napi::Function::New(env, serve_rpc));
    return object;
}

}   // namespace vcap
