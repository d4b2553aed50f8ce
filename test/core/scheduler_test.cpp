#include "check.h"
#include "core/engine/scheduler.h"

using namespace vcap;

namespace {

/** A job whose prompt is 4 rows of shared text, `images` image rows and 2 rows of question. */
JobPtr job(int images) {
    auto made = std::make_shared<Job>();
    std::vector<Turn> turns;
    turns.emplace_back(Question{}, 0, std::vector<llama_token>{5, 6});
    made->sequence.emplace(std::vector<llama_token>{1, 2, 3, 4}, images, std::move(turns));
    return made;
}

/** Takes the rows that the plan gives this job, as the engine does. */
int rows_of(const std::vector<Scheduler::Slice> & plan, const JobPtr & job) {
    for (const Scheduler::Slice & slice : plan) {
        if (slice.job == job) return slice.rows;
    }
    return 0;
}

}   // namespace

TEST("scheduler: prompts are prefilled in the order they came, in chunks of what is left") {
    Scheduler scheduler(2);
    const JobPtr first = job(10);
    const JobPtr second = job(10);
    scheduler.admit(first);
    scheduler.admit(second);
    CHECK_EQUAL(scheduler.free_slots(), 0);
    CHECK_EQUAL(rows_of(scheduler.plan(20), first), 16);
    CHECK_EQUAL(rows_of(scheduler.plan(20), second), 4);
    CHECK_EQUAL(rows_of(scheduler.plan(8), first), 8);
    CHECK_EQUAL(rows_of(scheduler.plan(8), second), 0);
}

TEST("scheduler: a caption being decoded never waits for a prompt") {
    Scheduler scheduler(2);
    const JobPtr writing = job(1);
    writing->sequence->start_at(7);   // its prompt is done
    const JobPtr reading = job(100);
    scheduler.admit(reading);
    scheduler.admit(writing);
    writing->sequence->start_at(7);
    // No token was generated yet, so no row is pending; the next plans must still be sound.
    const std::vector<Scheduler::Slice> plan = scheduler.plan(32);
    CHECK_EQUAL(plan.front().rows, 1);
    CHECK(plan.front().job == writing);
    CHECK_EQUAL(rows_of(plan, reading), 31);
}

TEST("scheduler: the lowest free slot is taken, and what it keeps of a prompt is not read again") {
    Scheduler scheduler(3);
    const JobPtr a = job(5), b = job(5), c = job(5);
    scheduler.admit(a);
    scheduler.admit(b);
    CHECK_EQUAL(a->slot, 0);
    a->sequence->start_at(11);
    CHECK_EQUAL(scheduler.retire(*a), 4);
    CHECK_EQUAL(a->slot, -1);
    scheduler.admit(c);
    CHECK_EQUAL(c->slot, 0);
    CHECK_EQUAL(c->sequence->seen(), 4);
    CHECK_EQUAL(c->sequence->pending(), 7);
    CHECK_EQUAL(scheduler.running(), 2);
}

TEST("scheduler: a job retired in the middle of the shared text keeps what was read; a forgotten slot nothing") {
    Scheduler scheduler(1);
    const JobPtr a = job(5), b = job(5), c = job(5);
    scheduler.admit(a);
    a->sequence->start_at(2);
    CHECK_EQUAL(scheduler.retire(*a), 2);
    scheduler.admit(b);
    CHECK_EQUAL(b->sequence->seen(), 2);
    scheduler.retire(*b);
    scheduler.forget(0);
    scheduler.admit(c);
    CHECK_EQUAL(c->sequence->seen(), 0);
}
