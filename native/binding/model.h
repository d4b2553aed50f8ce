#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <napi.h>

#include "binding/environment.h"
#include "binding/mailbox.h"
#include "core/engine/engine.h"

namespace vcap {

/** NativeModel: an engine for JavaScript. The object stays alive while the engine owes it an answer. */
class Model : public Napi::ObjectWrap<Model>, public Stoppable {
public:
    static Napi::Function define(Napi::Env env);
    /** Wraps a loaded engine. */
    static Napi::Object create(Napi::Env env, std::unique_ptr<Engine> engine);

    explicit Model(const Napi::CallbackInfo & info);
    ~Model() override;
    void stop() override;

private:
    Napi::Value caption(const Napi::CallbackInfo & info);
    Napi::Value embed(const Napi::CallbackInfo & info);
    Napi::Value time(const Napi::CallbackInfo & info);
    Napi::Value close(const Napi::CallbackInfo & info);

    Engine & engine() const;
    template <typename Result, typename Submit>
    Napi::Value start(Napi::Env env, Submit && submit);
    void expect(Napi::Env env);
    void settle(Napi::Env env);
    static void on_env_exit(Model * model);

    // The engine is declared after the mailbox and so destroyed before it: its threads post until they have ended.
    std::unique_ptr<Mailbox> mailbox_;
    std::unique_ptr<Engine> engine_;
    Napi::Env::CleanupHook<void (*)(Model *), Model> exit_hook_;
    bool env_exited_ = false;
};

/** `{ promise, cancel }`, NativeJob; `cancel` calls the function given, which may outlive the work. */
Napi::Object make_job(Napi::Env env, Napi::Promise promise, std::function<void()> cancel);

}   // namespace vcap
