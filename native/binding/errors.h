#pragma once

#include <exception>

#include <napi.h>

#include "core/error.h"

namespace vcap {

/** An Error of JavaScript with the core's message and `code`. */
Napi::Value to_js_error(Napi::Env env, const Error & error);

/** Runs `body`; what the core throws becomes a JS exception. */
template <typename Body>
Napi::Value guarded(Napi::Env env, Body && body) {
    try {
        return body();
    } catch (const Error & error) {
        throw Napi::Error(env, to_js_error(env, error));
    } catch (const Napi::Error &) {
        throw;
    } catch (const std::exception & error) {
        throw Napi::Error(env, to_js_error(env, Error("engine_error", error.what())));
    }
}

/**
 * Resolves a promise with what `make` returns, or rejects it with the Error or Napi::Error that it throws. Throws
 * Napi::Error where the environment is ending and neither can be done.
 */
template <typename Make>
void settle_promise(Napi::Env env, const Napi::Promise::Deferred & deferred, Make && make) {
    Napi::Value value;
    try {
        value = make();
    } catch (const Error & error) {
        deferred.Reject(to_js_error(env, error));
        return;
    } catch (const Napi::Error & error) {
        deferred.Reject(error.Value());
        return;
    }
    deferred.Resolve(value);
}

}   // namespace vcap
