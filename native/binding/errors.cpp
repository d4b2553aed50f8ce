#include "binding/errors.h"

namespace vcap {

Napi::Value to_js_error(Napi::Env env, const Error & error) {
    Napi::Object object = Napi::Error::New(env, error.what()).Value();
    object.Set("code", error.code());
    return object;
}

}   // namespace vcap
