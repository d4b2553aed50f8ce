#include "binding/loading.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/from_js.h"
#include "binding/mailbox.h"
#include "binding/model.h"
#include "core/threads.h"

namespace vcap {
namespace {

/**
 * One load that is under way. It runs on its own thread. Objects live on the heap and delete themselves on the
 * JavaScript thread, when the load is over or when the environment ends.
 */
class Loading : public Stoppable {
public:
    Loading(Napi::Env env, EngineOptions options, Napi::Function on_progress)
        : env_(env), options_(std::move(options)), deferred_(env), on_progress_(Napi::Persistent(on_progress)),
          mailbox_(std::make_unique<Mailbox>(env, "vcap-load")) {
        // The thread comes first, since it is what may fail. Its messages are delivered on this thread, and so later.
        thread_ = start_thread("load the model", [this] { run(); });
        exit_hook_ = env.AddCleanupHook(on_env_exit, this);
        Environment::of(env).running.insert(this);
        mailbox_->expect(env);
    }

    ~Loading() override { stop(); }

    void stop() override {
        *cancelled_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    Napi::Promise promise() const { return deferred_.Promise(); }
    std::shared_ptr<std::atomic<bool>> cancelled() const { return cancelled_; }

private:
    static void on_env_exit(Loading * loading) { delete loading; }

    /** On the load's thread. */
    void run() {
        try {
            engine_ = std::make_unique<Engine>(options_, [this](float fraction) {
                report(fraction);
                return !*cancelled_;
            });
        } catch (const Error & error) {
            error_ = error;
        } catch (const std::bad_alloc &) {
            error_ = Error("out_of_memory", "There is not enough memory to load the model");
        } catch (const std::exception & error) {
            error_ = Error("engine_lost", std::string("The model could not be loaded: ") + error.what());
        }
        mailbox_->post([this](Napi::Env env) { finish(env); });
    }

    /** On the load's thread. llama.cpp reports after every tensor; only another whole percent is passed on. */
    void report(float fraction) {
        const int percent = static_cast<int>(fraction * 100);
        if (percent > reported_) {
            reported_ = percent;
            mailbox_->post([this, fraction](Napi::Env env) {
                on_progress_.MakeCallback(env.Global(), {Napi::Number::New(env, fraction)});
            });
        }
    }

    /** On the JavaScript thread, as the last message: settles the promise. */
    void finish(Napi::Env env) {
        exit_hook_.Remove(env);
        Environment::of(env).running.erase(this);
        mailbox_->settle(env);
        const std::unique_ptr<Loading> self(this);
        settle_promise(env, deferred_, [&] {
            if (error_) {
                throw *error_;
            }
            return Model::create(env, std::move(engine_));
        });
    }

    Napi::Env env_;
    EngineOptions options_;
    Napi::Promise::Deferred deferred_;
    Napi::FunctionReference on_progress_;
    // Shared with the job's cancel function, which JavaScript may call after this object is gone.
    std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
    int reported_ = -1;   // percent; used on the load's thread alone
    // The outcome, one of the two. The load's thread writes it before it posts finish(), which reads it.
    std::optional<Error> error_;
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<Mailbox> mailbox_;
    Napi::Env::CleanupHook<void (*)(Loading *), Loading> exit_hook_;
    std::thread thread_;
};

}   // namespace

Napi::Value load_model(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        if (!info[0].IsObject() || !info[1].IsFunction()) {
            throw Error("usage", "loadModel takes options and a function for its progress");
        }
        const auto * loading =
            new Loading(env, to_engine_options(info[0].As<Napi::Object>()), info[1].As<Napi::Function>());
        return make_job(env, loading->promise(), [cancelled = loading->cancelled()] { *cancelled = true; });
    });
}

}   // namespace vcap
