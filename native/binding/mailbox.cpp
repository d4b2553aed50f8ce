#include "binding/mailbox.h"

#include <memory>

namespace vcap {
namespace {

// What a message throws becomes an uncaught exception of JavaScript. An ending environment refuses that with a status,
// which is ignored: nobody is left to hear of it.

void throw_into(napi_env env, const Napi::Error & error) {
    try {
        napi_throw(env, error.Value());
    } catch (const Napi::Error &) {   // its value could not be had
    }
}

void throw_into(napi_env env, const char * message) { napi_throw_error(env, "engine_error", message); }

}   // namespace

Mailbox::Mailbox(Napi::Env env, const char * name) : function_(Function::New(env, name, 0, 1)) { function_.Unref(env); }

Mailbox::~Mailbox() { function_.Abort(); }

void Mailbox::deliver(Napi::Env env, Napi::Function, Unused *, Message * message) {
    const std::unique_ptr<Message> owned(message);
    if (static_cast<napi_env>(env) == nullptr) {   // the environment is ending
        return;
    }
    // It may be ending all the same: worker.terminate() comes at any moment, and every call into JavaScript fails from
    // then on. Nothing may leave this function, which C calls.
    try {
        (*message)(env);
    } catch (const Napi::Error & error) {
        throw_into(env, error);
    } catch (const std::exception & error) {
        throw_into(env, error.what());
    }
}

void Mailbox::post(Message message) {
    auto owned = std::make_unique<Message>(std::move(message));
    if (function_.NonBlockingCall(owned.get()) == napi_ok) {
        owned.release();   // deliver() owns it now
    }
}

void Mailbox::expect(Napi::Env env) {
    if (expected_++ == 0) {
        function_.Ref(env);
    }
}

void Mailbox::settle(Napi::Env env) {
    if (--expected_ == 0) {
        function_.Unref(env);
    }
}

}   // namespace vcap
