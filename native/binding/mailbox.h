#pragma once

#include <functional>

#include <napi.h>

namespace vcap {

/**
 * Takes functions from any thread and calls them on the JavaScript thread, in order: an N-API thread-safe function. It
 * keeps the process alive only while answers are expected.
 *
 * Node closes the mailbox when the environment ends. Threads that post must have ended before that. Their owner sees to
 * it in a cleanup hook, which it registers after making the mailbox, since hooks run in reverse order.
 */
class Mailbox {
public:
    using Message = std::function<void(Napi::Env)>;

    /** On the JavaScript thread. `name` appears in Node's diagnostics (async_hooks). Throws Napi::Error. */
    Mailbox(Napi::Env env, const char * name);
    /** On the JavaScript thread. Messages that are not yet delivered are dropped. */
    ~Mailbox();
    Mailbox(const Mailbox &) = delete;
    Mailbox & operator=(const Mailbox &) = delete;

    /**
     * From any thread. A message posted while the environment ends is dropped, and one that is delivered then may find
     * that every call into JavaScript fails. What a message throws becomes an uncaught exception of JavaScript.
     */
    void post(Message message);
    /** On the JavaScript thread: says that one more answer is expected. */
    void expect(Napi::Env env);
    /** On the JavaScript thread, once for each expect(): says that an answer has come. */
    void settle(Napi::Env env);

private:
    struct Unused {};   // the context that every N-API thread-safe function has
    static void deliver(Napi::Env env, Napi::Function, Unused *, Message * message);
    using Function = Napi::TypedThreadSafeFunction<Unused, Message, deliver>;

    Function function_;
    int expected_ = 0;   // answers; read and written on the JavaScript thread alone
};

}   // namespace vcap
