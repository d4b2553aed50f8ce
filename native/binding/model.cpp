#include "binding/model.h"

#include <utility>

#include "binding/errors.h"
#include "binding/from_js.h"
#include "binding/to_js.h"

namespace vcap {

Napi::Object make_job(Napi::Env env, Napi::Promise promise, std::function<void()> cancel) {
    Napi::Object job = Napi::Object::New(env);
    job.Set("promise", promise);
    job.Set("cancel", Napi::Function::New(env, [cancel = std::move(cancel)](const Napi::CallbackInfo &) { cancel(); }));
    return job;
}

Napi::Function Model::define(Napi::Env env) {
    return DefineClass(env, "NativeModel",
                       {
                           InstanceMethod<&Model::caption>("caption"),
                           InstanceMethod<&Model::embed>("embed"),
                           InstanceMethod<&Model::time>("time"),
                           InstanceMethod<&Model::close>("close"),
                       });
}

Napi::Object Model::create(Napi::Env env, std::unique_ptr<Engine> engine) {
    Napi::Object info = to_js(env, *engine);
    Environment & environment = Environment::of(env);
    environment.handed_over = std::move(engine);
    Napi::Object object = environment.model_class.New({});
    object.DefineProperty(Napi::PropertyDescriptor::Value("info", info, napi_enumerable));
    return object;
}

Model::Model(const Napi::CallbackInfo & info) : Napi::ObjectWrap<Model>(info) {
    std::unique_ptr<Engine> handed_over = std::move(Environment::of(info.Env()).handed_over);
    if (handed_over == nullptr) {
        throw Napi::TypeError::New(info.Env(), "NativeModel is made by loadModel");
    }
    mailbox_ = std::make_unique<Mailbox>(info.Env(), "vcap-model");
    engine_ = std::move(handed_over);
    // After the mailbox, so that at the environment's end the engine stops before the mailbox goes.
    exit_hook_ = info.Env().AddCleanupHook(on_env_exit, this);
    Environment::of(info.Env()).running.insert(this);
}

Model::~Model() {
    if (!env_exited_) {   // a hook that has run is gone already, and the environment's state may be, too
        exit_hook_.Remove(Env());
        Environment::of(Env()).running.erase(this);
    }
    stop();
}

void Model::on_env_exit(Model * model) {
    model->env_exited_ = true;
    model->stop();
}

void Model::stop() {
    engine_.reset();
    mailbox_.reset();
}

Engine & Model::engine() const {
    if (engine_ == nullptr) {
        throw Error("closed", "This captioner is closed");
    }
    return *engine_;
}

void Model::expect(Napi::Env env) {
    Ref();
    mailbox_->expect(env);
}

void Model::settle(Napi::Env env) {
    mailbox_->settle(env);
    Unref();
}

/** Submits work whose outcome settles a promise; returns the NativeJob. */
template <typename Result, typename Submit>
Napi::Value Model::start(Napi::Env env, Submit && submit) {
    auto deferred = std::make_shared<Napi::Promise::Deferred>(env);
    const auto answer = [this, deferred](Outcome<Result> outcome) {
        auto shared = std::make_shared<Outcome<Result>>(std::move(outcome));   // std::function wants copies
        mailbox_->post([this, deferred, shared](Napi::Env js) {
            settle(js);
            settle_promise(js, *deferred, [&] {
                if (const Error * error = std::get_if<Error>(shared.get())) {
                    throw *error;
                }
                return to_js(js, std::get<Result>(*shared));
            });
        });
    };
    const uint64_t id = submit(answer);
    expect(env);
    auto self = std::make_shared<Napi::ObjectReference>(Napi::Weak(Value()));
    return make_job(env, deferred->Promise(), [self, id] {
        const Napi::Object object = self->Value();
        Model * model = object.IsEmpty() ? nullptr : Unwrap(object);
        if (model != nullptr && model->engine_ != nullptr) {
            model->engine_->cancel(id);
        }
    });
}

Napi::Value Model::caption(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        CaptionRequest request = to_caption_request(info[0].ToObject());
        const auto cut = std::make_shared<Napi::Promise::Deferred>(info.Env());
        const auto tell = [this, cut] { mailbox_->post([cut](Napi::Env js) { cut->Resolve(js.Undefined()); }); };
        const Napi::Value job = start<Captions>(
            info.Env(), [&](auto answer) { return engine().caption(std::move(request), answer, tell); });
        job.As<Napi::Object>().Set("cut", cut->Promise());
        return job;
    });
}

/** embed(pictures, detail, pooling) */
Napi::Value Model::embed(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        ImageRequest images = to_image_request(info[0], info[1], info[2]);
        return start<Embedding>(info.Env(), [&](auto answer) { return engine().embed(std::move(images), answer); });
    });
}

Napi::Value Model::time(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] { return to_js(info.Env(), engine().time()); });
}

Napi::Value Model::close(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    auto deferred = std::make_shared<Napi::Promise::Deferred>(env);
    if (engine_ == nullptr) {
        deferred->Resolve(env.Undefined());
        return deferred->Promise();
    }
    expect(env);
    engine_->close([this, deferred] {
        mailbox_->post([this, deferred](Napi::Env js) {
            engine_.reset();
            settle(js);
            deferred->Resolve(js.Undefined());
        });
    });
    return deferred->Promise();
}

}   // namespace vcap
