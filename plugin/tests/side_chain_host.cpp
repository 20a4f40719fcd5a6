// SPDX-License-Identifier: GPL-3.0-or-later
// A host that plays the processor that ships, live, with a track routed to its side chain, and does with it
// what the editor's buttons do. For tests with a real server:
//
//     side_chain_host TAKE.wav CLIP.wav
//
// Prints "name value" lines. Fails when something does not come.
#include <processor.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

using namespace bandmate;
using plugin::Processor;

namespace
{

constexpr double rate = 48000.0;
constexpr int block = 512;
constexpr auto limit = std::chrono::seconds (90);

[[noreturn]] void fail (const std::string& what)
{
    std::fprintf (stderr, "%s\n", what.c_str());
    std::exit (1);
}

// Plays in real time: the side chain is a struck tone at `pitch_hz`, or nothing.
struct Host
{
    Processor processor;
    juce::AudioBuffer<float> buffer{2, block};
    juce::MidiBuffer midi;
    double pitch_hz = 220.0;
    int64_t position = 0;
    float loudest = 0.0f;
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

    Host()
    {
        if (auto* bus = processor.getBus (true, 0); bus == nullptr || !bus->enable())
            fail ("there is no side chain");
        processor.setRateAndBufferSizeDetails (rate, block);
        processor.prepareToPlay (rate, block);
    }

    void process()
    {
        std::this_thread::sleep_until (start + std::chrono::microseconds (static_cast<int64_t> (
                                                   1e6 * static_cast<double> (position) / rate)));
        for (int i = 0; i < block; ++i)
        {
            const auto time = static_cast<double> (position + i) / rate;
            const auto level = pitch_hz > 0.0 ? 0.4 * std::exp (-3.0 * std::fmod (time, 0.5)) : 0.0;
            const auto sample = static_cast<float> (level * std::sin (6.2831853 * pitch_hz * time));
            buffer.setSample (0, i, sample);
            buffer.setSample (1, i, sample);
        }
        {
            const juce::ScopedLock lock (processor.getCallbackLock());
            processor.processBlock (buffer, midi);
        }
        midi.clear();
        loudest = std::max (loudest, buffer.getMagnitude (0, block));
        position += block;
    }

    void play_until (const char* what, const std::function<bool()>& done)
    {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done())
        {
            process();
            if (std::chrono::steady_clock::now() > end)
                fail (std::string (what) + " did not come: " + processor.link_status().problem);
        }
    }

    void play_for (double seconds)
    {
        const auto end = position + static_cast<int64_t> (seconds * rate);
        play_until ("the time", [&] { return position >= end; });
    }

    // Waits for a task and prints what came of it.
    void finish (const char* name, bool has_begun)
    {
        if (!has_begun)
            fail (std::string (name) + " did not begin");
        play_until (name, [&] { return !processor.task_status().is_running; });
        const auto status = processor.task_status();
        std::printf ("%s %s\n", name, status.problem.empty() ? "done" : status.problem.c_str());
    }
};

uint64_t underruns (const Host& host)
{
    return host.processor.stream_figures().underruns;
}

} // namespace

int main (int count, char** arguments)
{
    if (count != 3)
        fail ("usage: side_chain_host TAKE.wav CLIP.wav");
    const juce::ScopedJuceInitialiser_GUI juce;
    const juce::File take (juce::String::fromUTF8 (arguments[1]));
    const juce::File clip (juce::String::fromUTF8 (arguments[2]));
    juce::MemoryBlock state;
    std::string sound;
    {
        Host host;
        host.finish ("early", host.processor.capture_style (1, 2.0));
        host.play_until ("the session", [&] { return host.processor.link_status().prompts_in_force; });
        host.midi.addEvent (juce::MidiMessage::noteOn (1, 60, 0.8f), 100);
        host.play_for (3.0);
        host.midi.addEvent (juce::MidiMessage::noteOff (1, 60), 0);
        const auto before = underruns (host);
        host.finish ("capture", host.processor.capture_style (1, 2.0));
        host.finish ("file", host.processor.use_prompt_audio (2, clip));
        host.finish ("missing", host.processor.use_prompt_audio (3, clip.getSiblingFile ("none.wav")));
        host.finish ("continue", host.processor.continue_from_input (2.5));
        host.finish ("bank", host.processor.save_bank (take.getSiblingFile ("bank.safetensors")));
        host.finish ("reset", host.processor.reset_to_bank());
        host.finish ("take", host.processor.save_take (take));
        host.play_until ("the prompts", [&] { return host.processor.link_status().prompts_in_force; });
        std::printf ("underruns %d\n", static_cast<int> (underruns (host) - before));
        const auto session = host.processor.session();
        sound = session.sounds[1].sound;
        std::printf ("sounds %d %d %d\n", !session.sounds[1].sound.empty(), !session.sounds[2].sound.empty(),
                     !session.sounds[3].sound.empty());
        std::printf ("name %s\n", session.sounds[2].name.c_str());
        std::printf ("armed %d\n", !session.bank.empty());
        std::printf ("loudest %.3f\n", static_cast<double> (host.loudest));
        host.processor.getStateInformation (state);
    }
    Host again; // the project is opened again
    again.processor.setStateInformation (state.getData(), static_cast<int> (state.getSize()));
    again.play_until ("the session", [&] { return again.processor.link_status().prompts_in_force; });
    again.play_for (0.5);
    std::printf ("kept %d\n", again.processor.session().sounds[1].sound == sound && !sound.empty());
    std::printf ("complaint %s\n", again.processor.link_status().problem.c_str());
    return 0;
}
