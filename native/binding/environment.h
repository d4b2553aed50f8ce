#pragma once

#include <set>

#include <napi.h>

namespace vcap {

/** What has a thread of its own and must be at rest before the process ends. */
class Stoppable {
public:
    virtual ~Stoppable() = default;
    /** Cancels the work and joins the thread. Idempotent. */
    virtual void stop() = 0;
};

/** The addon's state in one JavaScript environment: the main thread's or a worker's. */
struct Environment {
    Napi::FunctionReference model_class;
    std::set<Stoppable *> running;

    static Environment & of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}   // namespace vcap
