#pragma once

#include <napi.h>

namespace vcap {

/** What tests alone may see of the inside: `NativeTesting` of src/native/addon.ts. */
Napi::Object testing(Napi::Env env);

}   // namespace vcap
