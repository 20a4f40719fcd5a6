// SPDX-License-Identifier: GPL-3.0-or-later
// What a user asks for beside playing: styles and continuations from sound, banks, takes.
#include "processor.hpp"

#include <bandmate/link/folders.hpp>

namespace bandmate::plugin
{

using link::Task;
using link::TaskKind;

namespace
{

std::string path_of (const juce::File& file)
{
    return file.getFullPathName().toStdString();
}

uint32_t slot_of (int slot)
{
    return static_cast<uint32_t> (juce::jlimit (0, static_cast<int> (protocol::style_slots) - 1, slot));
}

double style_seconds (double seconds)
{
    return juce::jlimit (protocol::limits::style_seconds_minimum, protocol::limits::style_seconds_maximum,
                         seconds);
}

} // namespace

bool Processor::start_task (Task task)
{
    const std::lock_guard lock (players_guard_);
    return heard().link.start (std::move (task));
}

void Processor::cancel_task()
{
    const std::lock_guard lock (players_guard_);
    heard().link.cancel_task();
}

link::TaskStatus Processor::task_status() const
{
    const std::lock_guard lock (players_guard_);
    return heard().link.task_status();
}

bool Processor::capture_style (int slot, double seconds)
{
    return start_task ({TaskKind::capture_style, slot_of (slot), {}, style_seconds (seconds), {}});
}

bool Processor::use_prompt_audio (int slot, const juce::File& sound)
{
    return start_task ({TaskKind::style_from_file,
                        slot_of (slot),
                        path_of (sound),
                        protocol::limits::style_seconds_maximum,
                        {}});
}

void Processor::clear_prompt_audio (int slot)
{
    change_session ([slot] (SessionState& now) { now.sounds[slot_of (slot)] = {}; });
}

bool Processor::continue_from_input (double seconds)
{
    const auto length = juce::jlimit (protocol::limits::style_seconds_minimum,
                                      protocol::limits::clip_seconds_maximum, seconds);
    return start_task ({TaskKind::continue_from_input, 0, {}, length, new_bank()});
}

bool Processor::continue_from_file (const juce::File& sound)
{
    return start_task ({TaskKind::continue_from_file, 0, path_of (sound),
                        protocol::limits::clip_seconds_maximum, new_bank()});
}

bool Processor::save_bank (const juce::File& bank)
{
    return start_task ({TaskKind::save_bank, 0, path_of (bank), 0.0, {}});
}

void Processor::arm_bank (const juce::File& bank)
{
    change_session ([&bank] (SessionState& now) { now.bank = path_of (bank); });
}

void Processor::clear_bank()
{
    change_session ([] (SessionState& now) { now.bank.clear(); });
}

bool Processor::reset_to_bank()
{
    return start_task ({TaskKind::reset, 0, {}, 0.0, {}});
}

bool Processor::save_take (const juce::File& wav, double seconds)
{
    return start_task ({TaskKind::save_take,
                        0,
                        path_of (wav.withFileExtension ("wav")),
                        juce::jlimit (0.0, protocol::limits::take_seconds_maximum, seconds),
                        {}});
}

bool Processor::has_side_chain() const
{
    return getTotalNumInputChannels() >= 2;
}

juce::File Processor::banks_folder()
{
    const auto folder =
        juce::File (juce::String::fromUTF8 (link::config_folder().c_str())).getChildFile ("banks");
    folder.createDirectory();
    return folder;
}

// Of the state that a continuation begins with: a project that is opened again finds it there.
std::string Processor::new_bank()
{
    const auto time = juce::Time::getCurrentTime().formatted ("%Y-%m-%d %H.%M.%S");
    return path_of (banks_folder().getNonexistentChildFile ("continued " + time, ".safetensors"));
}

// On the link's thread.
void Processor::take_task_result (const Task& task, const std::string& sound)
{
    switch (task.kind)
    {
    case TaskKind::capture_style:
        return change_session ([&] (SessionState& now) { now.sounds[task.slot] = {sound, "side chain"}; });
    case TaskKind::style_from_file:
    {
        const auto name = juce::File (juce::String::fromUTF8 (task.path.c_str())).getFileName().toStdString();
        return change_session ([&] (SessionState& now) { now.sounds[task.slot] = {sound, name}; });
    }
    case TaskKind::continue_from_input:
    case TaskKind::continue_from_file:
        return change_session ([&] (SessionState& now) { now.bank = task.bank; });
    case TaskKind::none:
    case TaskKind::save_bank:
    case TaskKind::reset:
    case TaskKind::save_take:
        return;
    }
}

} // namespace bandmate::plugin
