// SPDX-License-Identifier: GPL-3.0-or-later
// What the user asks for beside playing: sent while a session is open, one at a time, reported to the editor.
#include <bandmate/link/link.hpp>

#include <utility>

namespace bandmate::link
{

bool Link::start (Task task)
{
    const std::lock_guard lock (guard_);
    if (task_status_.is_running)
        return false;
    task_status_ = {};
    task_status_.kind = task.kind;
    task_status_.is_running = true;
    wanted_task_ = std::move (task);
    cancel_wanted_ = false;
    wake_up_.wake();
    if (!thread_.joinable())
        end_task_now ("There is no session yet.", "Wait until the status says that it plays.");
    return true;
}

void Link::cancel_task()
{
    const std::lock_guard lock (guard_);
    cancel_wanted_ = task_status_.is_running;
    wake_up_.wake();
}

TaskStatus Link::task_status() const
{
    const std::lock_guard lock (guard_);
    return task_status_;
}

void Link::follow_tasks()
{
    std::optional<Task> task;
    bool cancel = false;
    {
        const std::lock_guard lock (guard_);
        std::swap (task, wanted_task_);
        cancel = std::exchange (cancel_wanted_, false);
    }
    if (task)
    {
        task_ = std::move (*task);
        if (phase_ != LinkPhase::playing)
            return end_task ("There is no session yet.", "Wait until the status says that it plays.");
        task_id_ = client_->send (message_of (task_));
    }
    if (cancel && task_id_ != 0 && phase_ == LinkPhase::playing)
        client_->send (protocol::Cancel{session_});
}

protocol::Request::Body Link::message_of (const Task& task) const
{
    switch (task.kind)
    {
    case TaskKind::capture_style:
    case TaskKind::style_from_file:
        return protocol::StyleSound{session_, task.slot, task.path, task.seconds};
    case TaskKind::continue_from_input:
    case TaskKind::continue_from_file:
        // A server on another machine cannot keep a bank here.
        return protocol::ContinueFrom{session_, task.path, task.seconds, is_remote() ? "" : task.bank};
    case TaskKind::save_bank:
        return protocol::BankSave{session_, task.path};
    case TaskKind::save_take:
        return protocol::TakeSave{session_, task.path, task.seconds};
    case TaskKind::reset:
    case TaskKind::none:
        break;
    }
    return protocol::Reset{session_, 0};
}

// True if the reply was the running task's.
bool Link::take_task_reply (const protocol::Reply& reply)
{
    if (task_id_ == 0 || reply.re != task_id_)
        return false;
    task_id_ = 0;
    if (const auto* error = std::get_if<protocol::ErrorReply> (&reply.body))
    {
        end_task (error->message, error->hint);
        return true;
    }
    std::string sound;
    std::string result = "Done.";
    if (const auto* style = std::get_if<protocol::StyleSoundReply> (&reply.body))
    {
        sound = style->sound;
        result = "Slot " + std::to_string (task_.slot + 1) + " follows the sound.";
    }
    else if (const auto* take = std::get_if<protocol::TakeSaveReply> (&reply.body))
    {
        result = std::to_string (static_cast<int> (take->seconds + 0.5)) + " s saved as " + task_.path + ".";
    }
    else if (std::holds_alternative<protocol::ContinueFromReply> (reply.body))
    {
        if (is_remote())
            task_.bank.clear();
        bank_in_force_ = task_.bank;
        result = "It goes on from the sound.";
    }
    else if (std::holds_alternative<protocol::BankSaveReply> (reply.body))
    {
        result = "The bank is saved as " + task_.path + ".";
    }
    if (task_done_)
        task_done_ (task_, sound);
    const std::lock_guard lock (guard_);
    task_status_.is_running = false;
    task_status_.share = 1.0;
    task_status_.result = result;
    return true;
}

void Link::take_progress (const protocol::Progress& progress)
{
    const std::lock_guard lock (guard_);
    if (progress.session == session_ && task_status_.is_running)
        task_status_.share = progress.share;
}

void Link::end_task (const std::string& problem, const std::string& remedy)
{
    task_id_ = 0;
    const std::lock_guard lock (guard_);
    end_task_now (problem, remedy);
}

// With the lock held.
void Link::end_task_now (const std::string& problem, const std::string& remedy)
{
    wanted_task_.reset();
    task_status_.is_running = false;
    task_status_.problem = problem;
    task_status_.remedy = remedy;
}

} // namespace bandmate::link
