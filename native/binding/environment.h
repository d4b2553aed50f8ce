#pragma once

#include <set>

#include <napi.h>

namespace vcap {

/**
 * An object whose threads must have ended before the process does: process.exit() runs the destructors of static
 * objects, which running threads would still use.
 */
class Stoppable {
public:
    virtual ~Stoppable() = default;
    /** On the JavaScript thread: cancels the work and joins the threads. Idempotent. */
    virtual void stop() = 0;
};

/**
 * The addon's state in one JavaScript environment, which is the main thread or a worker. Owned by N-API as instance
 * data, and used on the JavaScript thread alone.
 */
struct Environment {
    Napi::FunctionReference model_class;   // NativeModel
    std::set<Stoppable *> running;         // each adds itself, and removes itself unless the environment ends first

    static Environment & of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}   // namespace vcap
