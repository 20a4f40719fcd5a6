// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace bandmate::link
{

// What a user can ask the server for beside playing. One at a time.
enum class TaskKind
{
    none,
    capture_style,       // the side chain's last seconds become the style of a slot
    style_from_file,     // a file's first seconds do
    continue_from_input, // the stream goes on from the side chain's last seconds
    continue_from_file,  // from the end of a file
    save_bank,           // the present state of the stream into a file
    reset,               // to the armed bank, or to the fresh state
    save_take,           // the last minutes into a sound file, the notes beside it
};

struct Task
{
    TaskKind kind = TaskKind::none;
    uint32_t slot = 0;
    std::string path;     // absolute: the file that is read or written
    double seconds = 0.0; // of sound
    std::string bank;     // absolute: where the state that is gone on from is kept
};

// For the editor: a copy, made under a lock.
struct TaskStatus
{
    TaskKind kind = TaskKind::none; // the running one, else the last
    bool is_running = false;
    double share = 0.0;  // done so far, 0..1
    std::string result;  // what came of it, one line; empty while it runs
    std::string problem; // what went wrong, one line; empty when all is well
    std::string remedy;  // what to do about it; may be empty
};

} // namespace bandmate::link
