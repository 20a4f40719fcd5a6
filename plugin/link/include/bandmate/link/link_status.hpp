// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace bandmate::link
{

enum class LinkPhase
{
    idle,       // the host has not prepared the plugin yet
    searching,  // for a server
    starting,   // the server
    connecting, // to it
    opening,    // a session; the model may be loading
    playing,    // the session is open
    failed,     // waiting before the next try; `problem` says why
};

// For the editor: a copy, made under a lock.
struct LinkStatus
{
    LinkPhase phase = LinkPhase::idle;
    std::string problem; // what is wrong, one line; empty when all is well
    std::string remedy;  // what to do about it; may be empty
    std::string model;
    bool prompts_in_force = false;
    double budget_ms = 0.0;
    double frame_ms_p50 = 0.0;
    double frame_ms_p99 = 0.0;
    double server_memory_mb = 0.0; // resident, of all tracks; 0: it has not said
};

} // namespace bandmate::link
