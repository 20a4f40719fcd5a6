// SPDX-License-Identifier: GPL-3.0-or-later
// A host with several tracks, each an instance of the processor that ships, played live by one thread:
//
//     bandmate_tracks_host TRACKS BLOCK SECONDS
//
// Waits until all are ready, plays, and prints one JSON object; then it plays on until its input ends, so
// that whoever started it can look at the server meanwhile.
#include <processor.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace bandmate;
using plugin::Processor;

namespace
{

constexpr double rate = 48000.0;
constexpr auto ready_limit = std::chrono::seconds (180);
constexpr double note_seconds = 0.5;
constexpr int first_pitch = 48;

class Tracks
{
public:
    Tracks (int count, int block) : block_ (block), buffer_ (2, block)
    {
        for (int i = 0; i < count; ++i)
        {
            processors_.push_back (std::make_unique<Processor>());
            processors_.back()->setRateAndBufferSizeDetails (rate, block);
            processors_.back()->prepareToPlay (rate, block);
        }
    }

    // One block of all tracks, at its time. Each track plays a line of its own.
    void process (bool with_notes)
    {
        std::this_thread::sleep_until (start_ + std::chrono::microseconds (static_cast<int64_t> (
                                                    1e6 * static_cast<double> (position_) / rate)));
        const auto note = static_cast<int64_t> (note_seconds * rate);
        const bool begins = with_notes && position_ % note < block_;
        const auto turn = static_cast<int> (position_ / note);
        for (size_t i = 0; i < processors_.size(); ++i)
        {
            midi_.clear();
            const auto pitch = [&] (int n)
            {
                return first_pitch + static_cast<int> (i) * 3 + (n * 5) % 12;
            };
            if (begins)
            {
                midi_.addEvent (juce::MidiMessage::noteOff (1, pitch (turn - 1)), 0);
                midi_.addEvent (juce::MidiMessage::noteOn (1, pitch (turn), 0.8f), 0);
            }
            buffer_.clear();
            const juce::ScopedLock lock (processors_[i]->getCallbackLock());
            processors_[i]->processBlock (buffer_, midi_);
        }
        position_ += block_;
    }

    bool are_ready() const
    {
        for (const auto& processor : processors_)
            if (!processor->link_status().prompts_in_force)
                return false;
        return true;
    }

    uint64_t underruns() const
    {
        uint64_t sum = 0;
        for (const auto& processor : processors_)
            sum += processor->stream_figures().underruns;
        return sum;
    }

    // The first complaint of a track, or nothing.
    std::string problem() const
    {
        for (const auto& processor : processors_)
            if (const auto status = processor->link_status(); !status.problem.empty())
                return status.problem;
        return {};
    }

    double latency_ms() const { return processors_.front()->latency_ms(); }
    double position_seconds() const { return static_cast<double> (position_) / rate; }

private:
    int block_;
    juce::AudioBuffer<float> buffer_;
    juce::MidiBuffer midi_;
    std::vector<std::unique_ptr<Processor>> processors_;
    int64_t position_ = 0;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace

int main (int count, char** arguments)
{
    const int tracks = count == 4 ? std::atoi (arguments[1]) : 0;
    const int block = count == 4 ? std::atoi (arguments[2]) : 0;
    const double seconds = count == 4 ? std::atof (arguments[3]) : 0.0;
    if (tracks < 1 || block < 16 || seconds <= 0.0)
    {
        std::fprintf (stderr, "usage: bandmate_tracks_host TRACKS BLOCK SECONDS\n");
        return 2;
    }
    const juce::ScopedJuceInitialiser_GUI juce;
    Tracks host (tracks, block);
    const auto limit = std::chrono::steady_clock::now() + ready_limit;
    while (!host.are_ready())
    {
        if (std::chrono::steady_clock::now() > limit)
        {
            std::fprintf (stderr, "not every track is ready: %s\n", host.problem().c_str());
            return 1;
        }
        host.process (false);
    }
    // The first second is the models' and the caches'.
    for (const auto end = host.position_seconds() + 1.0; host.position_seconds() < end;)
        host.process (true);
    const auto before = host.underruns();
    for (const auto end = host.position_seconds() + seconds; host.position_seconds() < end;)
        host.process (true);
    std::printf ("{\"underruns\": %llu, \"latency_ms\": %.3f, \"problem\": %s}\n",
                 static_cast<unsigned long long> (host.underruns() - before), host.latency_ms(),
                 juce::JSON::toString (juce::var (juce::String (host.problem())), true).toRawUTF8());
    std::fflush (stdout);
    std::atomic<bool> is_over{false};
    std::thread input (
        [&]
        {
            while (std::getchar() != EOF)
            {
            }
            is_over = true;
        });
    while (!is_over)
        host.process (true);
    input.join();
    return 0;
}
