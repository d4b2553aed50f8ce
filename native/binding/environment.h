#pragma once

#include <memory>
#include <set>

#include <napi.h>

#include "core/engine/engine.h"

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
    // The engine that the next model's constructor takes, which Model::create calls. An External would do as well, but
    // Node loses one that a worker leaves behind.
    std::unique_ptr<Engine> handed_over;

    static Environment & of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}   // namespace vcap
