#pragma once

#include <functional>

#include <napi.h>

namespace vcap {

/**
 * Carries calls from any thread to the JS thread. It keeps the process alive only while work
 * is expected. Whoever posts from another thread must have stopped before the environment
 * ends: register its cleanup hook after making the mailbox, since hooks run last in, first out.
 */
class Mailbox {
public:
    using Message = std::function<void(Napi::Env)>;

    Mailbox(Napi::Env env, const char * name);
    /** On the JS thread. What was posted and not yet delivered is dropped. */
    ~Mailbox();
    Mailbox(const Mailbox &) = delete;
    Mailbox & operator=(const Mailbox &) = delete;

    /** From any thread. */
    void post(Message message);
    /** On the JS thread: one more answer is expected, or has come. */
    void expect(Napi::Env env);
    void settle(Napi::Env env);

private:
    struct Unused {};
    static void deliver(Napi::Env env, Napi::Function, Unused *, Message * message);
    using Function = Napi::TypedThreadSafeFunction<Unused, Message, deliver>;

    Function function_;
    int expected_ = 0;
};

}   // namespace vcap
