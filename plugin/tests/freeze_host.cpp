// SPDX-License-Identifier: GPL-3.0-or-later
// A host that plays a region live, from the transport's start, and then freezes it: the same region offline,
// in other blocks. For tests with a real server:
//
//     freeze_host SECONDS
//
// Prints "name value" lines: how many frames the live take missed, and how far the two differ at most. It is
// done again while frames are missed, as a busy machine may.
#include <processor.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

using namespace bandmate;
using plugin::Processor;

namespace
{

constexpr double rate = 48000.0;
constexpr int largest_block = 1024;
constexpr int live_block = 512;
constexpr int frozen_block = 777; // hosts freeze in blocks of their own
constexpr int tries = 8;
constexpr int64_t region_start = 5 * 48000 + 123; // not at beat 0
constexpr auto limit = std::chrono::seconds (90);

struct Transport : juce::AudioPlayHead
{
    bool is_playing = false;
    int64_t position = region_start;

    juce::Optional<PositionInfo> getPosition() const override
    {
        PositionInfo info;
        info.setIsPlaying (is_playing);
        info.setBpm (120.0);
        info.setTimeInSamples (position);
        return info;
    }
};

// A line with chords, no note at the start of a block or a frame, one held over the region's end.
void add_notes (juce::MidiBuffer& midi, int64_t begin, int count, int64_t length)
{
    const auto add = [&] (int64_t at, const juce::MidiMessage& message)
    {
        if (at >= begin && at < begin + count)
            midi.addEvent (message, static_cast<int> (at - begin));
    };
    int number = 0;
    for (int64_t at = 101; at < length; at += 13007, ++number)
        for (const int pitch : {48 + number % 24, 55 + number % 24})
        {
            add (at, juce::MidiMessage::noteOn (1, pitch, 0.8f));
            add (at + 9001, juce::MidiMessage::noteOff (1, pitch));
        }
    add (length - 4800, juce::MidiMessage::noteOn (1, 84, 0.6f));
}

class Host
{
public:
    Processor processor;

    Host()
    {
        processor.setPlayHead (&transport_);
        auto* restart = processor.parameters().getParameter ("restart_on_play");
        restart->setValueNotifyingHost (1.0f);
        processor.setRateAndBufferSizeDetails (rate, largest_block);
        processor.prepareToPlay (rate, largest_block);
    }

    // Stopped for a moment, then the region from its start: what is heard from there on, latency included.
    std::vector<float> play (int64_t length, int block, bool is_live)
    {
        processor.setNonRealtime (!is_live);
        std::vector<float> heard;
        const auto total = length + processor.getLatencySamples();
        for (int64_t at = -24000; at < total; at += block)
        {
            const int count = static_cast<int> (std::min<int64_t> (block, (at < 0 ? 0 : total) - at));
            transport_.is_playing = at >= 0;
            juce::AudioBuffer<float> buffer (2, count);
            juce::MidiBuffer midi;
            if (at >= 0)
                add_notes (midi, at, count, length);
            {
                const juce::ScopedLock lock (processor.getCallbackLock());
                processor.processBlock (buffer, midi);
            }
            if (at >= 0)
                heard.insert (heard.end(), buffer.getReadPointer (0), buffer.getReadPointer (0) + count);
            if (at < 0 && at + block > 0)
                at = -block; // the region begins with a block of its own
            transport_.position = region_start + std::max<int64_t> (at, 0);
            if (is_live)
                keep_time (count);
        }
        return heard;
    }

    void wait_for_session()
    {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!processor.link_status().prompts_in_force)
        {
            std::this_thread::sleep_for (std::chrono::milliseconds (5));
            if (std::chrono::steady_clock::now() > end)
            {
                std::fprintf (stderr, "no session: %s\n", processor.link_status().problem.c_str());
                std::_Exit (1);
            }
        }
    }

private:
    void keep_time (int count)
    {
        const auto now = std::chrono::steady_clock::now();
        due_ = std::max (due_, now - std::chrono::seconds (1));
        due_ += std::chrono::microseconds (static_cast<int> (1e6 * count / rate));
        std::this_thread::sleep_until (due_);
    }

    Transport transport_;
    std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now();
};

} // namespace

int main (int count, char** arguments)
{
    const double seconds = count == 2 ? std::atof (arguments[1]) : 0.0;
    if (seconds <= 0.0)
    {
        std::fprintf (stderr, "usage: freeze_host SECONDS\n");
        return 1;
    }
    const juce::ScopedJuceInitialiser_GUI juce;
    Host host;
    host.wait_for_session();
    const auto length = static_cast<int64_t> (seconds * rate);
    std::vector<float> live;
    uint64_t missed = 1;
    for (int i = 0; i < tries && missed > 0; ++i)
    {
        const auto before = host.processor.stream_figures().underruns;
        live = host.play (length, live_block, true);
        missed = host.processor.stream_figures().underruns - before;
    }
    const auto frozen = host.play (length, frozen_block, false);
    const auto again = host.play (length, live_block, false);
    float difference = 0.0f, difference_again = 0.0f, loudest = 0.0f;
    for (size_t i = 0; i < live.size(); ++i)
    {
        difference = std::max (difference, std::abs (live[i] - frozen[i]));
        difference_again = std::max (difference_again, std::abs (again[i] - frozen[i]));
        loudest = std::max (loudest, std::abs (frozen[i]));
    }
    std::printf ("missed %d\nsamples %d\nfrozen_samples %d\n", static_cast<int> (missed),
                 static_cast<int> (live.size()), static_cast<int> (frozen.size()));
    std::printf ("loudest %g\ndifference %g\ndifference_again %g\n", static_cast<double> (loudest),
                 static_cast<double> (difference), static_cast<double> (difference_again));
    return 0;
}
