#include <future>

#include "check.h"
#include "core/engine/job_queue.h"

using namespace vcap;

namespace {

JobPtr enter(JobQueue & queue) {
    auto job = std::make_shared<Job>();
    queue.enter(job);
    return job;
}

/** What the thread that runs the models gets, which has nothing else to do. */
std::deque<JobPtr> take(JobQueue & queue) {
    std::deque<JobPtr> taken;
    queue.take(taken, false);
    return taken;
}

}   // namespace

TEST("job queue: each job has its number, and is taken in the order in which preparing ended") {
    JobQueue queue;
    const JobPtr first = enter(queue);
    const JobPtr second = enter(queue);
    CHECK(first->id != second->id);
    CHECK(!queue.hand_over(second, std::nullopt));
    CHECK(!queue.hand_over(first, std::nullopt));
    const std::deque<JobPtr> taken = take(queue);
    CHECK_EQUAL(taken.size(), 2u);
    CHECK(taken[0] == second && taken[1] == first);
    CHECK(queue.take_rest().empty());
}

TEST("job queue: a thread with work of its own does not wait, and gets what there is") {
    JobQueue queue;
    std::deque<JobPtr> waiting;
    CHECK(queue.take(waiting, true));
    CHECK(waiting.empty());
    const JobPtr job = enter(queue);
    queue.hand_over(job, std::nullopt);
    CHECK(queue.take(waiting, true));
    CHECK(waiting.size() == 1 && waiting.front() == job);
}

TEST("job queue: what cannot be prepared, or was cancelled meanwhile, is not passed on") {
    JobQueue queue;
    const JobPtr faulty = enter(queue);
    CHECK_EQUAL(queue.hand_over(faulty, Error("usage", "no grammar")).value().code(), "usage");
    const JobPtr cancelled = enter(queue);
    CHECK(queue.wants(*cancelled));
    queue.cancel(cancelled->id);
    CHECK(!queue.wants(*cancelled));
    CHECK_EQUAL(queue.hand_over(cancelled, std::nullopt).value().code(), "aborted");
    CHECK(queue.take_rest().empty());
}

TEST("job queue: a cancelled job is told of once; a number that is over, or never was, not at all") {
    JobQueue queue;
    const JobPtr job = enter(queue);
    queue.hand_over(job, std::nullopt);
    take(queue);
    CHECK(!queue.take_cancelled());
    queue.cancel(job->id);
    CHECK(job->cancelled);
    CHECK(queue.take_cancelled());
    CHECK(!queue.take_cancelled());
    const JobPtr answered = enter(queue);
    queue.hand_over(answered, std::nullopt);
    queue.forget(*answered);
    queue.cancel(answered->id);
    queue.cancel(12345);
    CHECK(!answered->cancelled);
    CHECK(!queue.take_cancelled());
}

TEST("job queue: closed, it takes no more, waits for what is being prepared, and says when all is done") {
    JobQueue queue;
    const JobPtr job = enter(queue);
    int closed = 0;
    queue.close([&] { closed++; });
    CHECK_EQUAL(check::error_code([&] { enter(queue); }), "closed");
    std::deque<JobPtr> waiting;
    std::future<bool> taking = std::async(std::launch::async, [&] { return queue.take(waiting, false); });
    CHECK(taking.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
    queue.hand_over(job, std::nullopt);
    CHECK(taking.get());
    CHECK_EQUAL(waiting.size(), 1u);
    CHECK(!queue.take(waiting, false));
    CHECK_EQUAL(closed, 0);
    queue.end();
    CHECK_EQUAL(closed, 1);
    queue.close([&] { closed++; });
    CHECK_EQUAL(closed, 2);
}

TEST("job queue: closed, it ends as well when the last job could not be prepared") {
    JobQueue queue;
    const JobPtr job = enter(queue);
    queue.close([] {});
    std::deque<JobPtr> waiting;
    std::future<bool> taking = std::async(std::launch::async, [&] { return queue.take(waiting, false); });
    queue.hand_over(job, Error("usage", "no grammar"));
    CHECK(!taking.get());
}

TEST("job queue: aborted, it ends whoever waits, with or without work, and wants nothing") {
    JobQueue queue;
    const JobPtr job = enter(queue);
    std::deque<JobPtr> waiting;
    std::future<bool> taking = std::async(std::launch::async, [&] { return queue.take(waiting, false); });
    queue.abort();
    CHECK(!taking.get());
    CHECK(!queue.take(waiting, true));
    CHECK(!queue.wants(*job));
    CHECK_EQUAL(queue.hand_over(job, std::nullopt).value().code(), "aborted");
    CHECK_EQUAL(check::error_code([&] { enter(queue); }), "closed");
}
