// SPDX-License-Identifier: GPL-3.0-or-later
// What the link says to the server while a session is open, and what it makes of the answers.
#include <bandmate/link/link.hpp>

#include <algorithm>

namespace bandmate::link
{

using protocol::Error;

void Link::send_prompts()
{
    protocol::SetPrompts message;
    message.session = session_;
    message.revision = revision_;
    for (uint32_t slot = 0; slot < protocol::style_slots; ++slot)
        if (!now_.prompts[slot].empty() || !now_.sounds[slot].empty())
            message.prompts.push_back ({slot, now_.prompts[slot], now_.sounds[slot]});
    awaited_ = client_->send (message);
}

void Link::send_bank()
{
    if (now_.bank == bank_in_force_)
        return;
    bank_in_force_ = now_.bank;
    bank_awaited_ = client_->send (protocol::BankLoad{session_, now_.bank});
}

void Link::receive (std::chrono::milliseconds limit)
{
    try
    {
        const auto message = client_->receive (limit);
        if (!message)
            return;
        if (const auto* reply = std::get_if<protocol::Reply> (&*message))
            take_reply (*reply);
        else
            take_push (std::get<protocol::Push> (*message));
    }
    catch (const Error& error)
    {
        if (error.code() != protocol::error_code::unknown_type) // a newer server may say more than we know
            throw;
    }
}

void Link::take_reply (const protocol::Reply& reply)
{
    if (reply.re == ping_)
        ping_ = 0;
    if (reply.re == bank_awaited_)
        bank_awaited_ = 0;
    if (const auto* error = std::get_if<protocol::ErrorReply> (&reply.body))
        return take_refusal (reply, *error);
    if (take_task_reply (reply))
        return;
    if (const auto* done = std::get_if<protocol::SetPromptsReply> (&reply.body))
    {
        acknowledged_revision_ = std::max (acknowledged_revision_, done->revision);
        return;
    }
    if (const auto* status = std::get_if<protocol::StatusReply> (&reply.body))
    {
        const std::lock_guard lock (guard_);
        for (const auto& session : status->sessions)
            if (session.session == session_)
            {
                status_.frame_ms_p50 = session.frame_ms_p50;
                status_.frame_ms_p99 = session.frame_ms_p99;
            }
        return;
    }
    if (reply.re != awaited_)
        return;
    if (const auto* hello = std::get_if<protocol::HelloReply> (&reply.body);
        hello != nullptr && phase_ == LinkPhase::connecting)
        return open (*hello);
    if (const auto* opened = std::get_if<protocol::OpenReply> (&reply.body);
        opened != nullptr && phase_ == LinkPhase::opening)
    {
        segment_->drop_name();
        session_ = opened->session;
        {
            const std::lock_guard lock (guard_);
            status_.budget_ms = opened->budget_ms;
        }
        enter (LinkPhase::playing, std::chrono::milliseconds (0));
        send_prompts();
        send_bank();
        segments_.offer (segment_->segment());
    }
}

void Link::take_refusal (const protocol::Reply& reply, const protocol::ErrorReply& error)
{
    if (error.code == protocol::error_code::bad_token || error.code == protocol::error_code::shutting_down)
        return lose_server ("The Bandmate server is ending; it is started again.");
    if (error.code == protocol::error_code::unknown_session)
        return lose_server ("The server has closed this session; it is opened again.");
    if (take_task_reply (reply))
        return;
    if (phase_ != LinkPhase::playing)
        return fail (error.message, error.hint);
    if (reply.re != awaited_)
    {
        // A bank that cannot be loaded: the stream begins afresh, and says so.
        const std::lock_guard lock (guard_);
        status_.problem = error.message;
        status_.remedy = error.hint;
        return;
    }
    // Prompts that are refused stay as they were; the music goes on.
    acknowledged_revision_ = revision_;
    const std::lock_guard lock (guard_);
    status_.problem = error.message;
    status_.remedy = error.hint;
}

void Link::take_push (const protocol::Push& push)
{
    if (const auto* closed = std::get_if<protocol::Closed> (&push.body))
    {
        if (closed->session == session_ && phase_ == LinkPhase::playing)
            fail ("The server has closed this session: " + closed->reason, "It is opened again by itself.");
        return;
    }
    if (const auto* progress = std::get_if<protocol::Progress> (&push.body))
        return take_progress (*progress);
    const auto& news = std::get<protocol::StatusPush> (push.body);
    if (news.session != session_)
        return;
    const std::lock_guard lock (guard_);
    status_.frame_ms_p50 = news.frame_ms_p50;
    status_.frame_ms_p99 = news.frame_ms_p99;
    status_.problem = news.note;
    status_.remedy.clear();
}

} // namespace bandmate::link
