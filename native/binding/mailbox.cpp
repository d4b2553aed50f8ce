#include "binding/mailbox.h"

#include <memory>

namespace vcap {

Mailbox::Mailbox(Napi::Env env, const char * name) : function_(Function::New(env, name, 0, 1)) { function_.Unref(env); }

Mailbox::~Mailbox() { function_.Abort(); }

void Mailbox::deliver(Napi::Env env, Napi::Function, Unused *, Message * message) {
    const std::unique_ptr<Message> owned(message);
    if (static_cast<napi_env>(env) != nullptr) {   // null where the environment is ending
        (*message)(env);
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
