// SPDX-License-Identifier: GPL-3.0-or-later
// Another model is chosen while it plays, in real time, with the processor that ships.
#include "catch.hpp"
#include "host_fixture.hpp"

#include <audio_guard.hpp>

#include <cmath>

using namespace bandmate;
using tests::Host;
using tests::ServerFixture;

namespace
{

constexpr int block = 512;
constexpr auto limit = std::chrono::seconds (30);

// A note in each sample makes a steady level: a gap or a step is none of the models' own.
class SteadyTone
{
public:
    explicit SteadyTone (Host& host) : host_ (host) {}

    std::vector<float> heard;

    void play (double seconds)
    {
        const auto end = heard.size() + static_cast<size_t> (seconds * host_.rate);
        while (heard.size() < end)
        {
            for (int i = 0; i < block; ++i)
                host_.midi.addEvent (juce::MidiMessage::noteOn (1, 60, juce::uint8 (127)), i);
            const auto part = host_.render (block, block);
            heard.insert (heard.end(), part.begin(), part.end());
            due_ += std::chrono::microseconds (static_cast<int> (1e6 * block / host_.rate));
            std::this_thread::sleep_until (due_);
        }
    }

    bool play_until (const std::function<bool()>& done)
    {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done() && std::chrono::steady_clock::now() < end)
            play (0.05);
        return done();
    }

    bool reaches (float level)
    {
        return play_until ([&] { return !heard.empty() && heard.back() == level; });
    }

private:
    Host& host_;
    std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now();
};

float largest_step (const std::vector<float>& heard, size_t from)
{
    float largest = 0.0f;
    for (auto i = from + 1; i < heard.size(); ++i)
        largest = std::max (largest, std::abs (heard[i] - heard[i - 1]));
    return largest;
}

} // namespace

TEST_CASE ("Another model takes over without a gap or a step, there and back")
{
    ServerFixture server;
    ::setenv ("BANDMATE_LATENCY", "300", 1); // room for a busy machine
    Host host (48000.0, block);
    ::unsetenv ("BANDMATE_LATENCY");
    const auto latency = host.processor.getLatencySamples();
    REQUIRE (host.becomes_ready());
    SteadyTone tone (host);
    REQUIRE (tone.reaches (1.0f));
    tone.play (0.2);
    bandmate_audio_guard_reset();
    const auto start = tone.heard.size() - 1;
    host.processor.set_model ("soft tone");
    CHECK (host.processor.is_changing_model());
    REQUIRE (tone.reaches (0.5f));
    host.processor.set_model ("tone");
    REQUIRE (tone.reaches (1.0f));
    CHECK (largest_step (tone.heard, start) < 0.01f);
    CHECK (host.processor.getLatencySamples() == latency); // it had room for both
    bandmate_audio_guard_counts counts;
    bandmate_audio_guard_read (&counts);
    CHECK (counts.allocations == 0);
    CHECK (counts.locks == 0);
    CHECK (counts.system_calls == 0);
}

TEST_CASE ("A model that does not come leaves the old one playing, and says why")
{
    ServerFixture server;
    ::setenv ("BANDMATE_LATENCY", "300", 1);
    Host host (48000.0, block);
    ::unsetenv ("BANDMATE_LATENCY");
    REQUIRE (host.becomes_ready());
    SteadyTone tone (host);
    REQUIRE (tone.reaches (1.0f));
    const auto start = tone.heard.size() - 1;
    server.add_model ("not on the server");
    host.processor.set_model ("not on the server");
    REQUIRE (tone.play_until (
        [&]
        { return host.processor.link_status().problem.find ("not on the server") != std::string::npos; }));
    tone.play (0.3);
    CHECK (largest_step (tone.heard, start) == 0.0f);
    host.processor.set_model ("tone");
    CHECK_FALSE (host.processor.is_changing_model());
    tone.play (0.3);
    CHECK (largest_step (tone.heard, start) == 0.0f);
}

TEST_CASE ("A model's defaults come with it, where nobody has touched the old one's")
{
    ServerFixture server;
    juce::ScopedJuceInitialiser_GUI juce;
    plugin::Processor processor;
    const auto value = [&processor] (const char* id)
    {
        const auto* parameter = processor.parameters().getParameter (id);
        return parameter->convertFrom0to1 (parameter->getValue());
    };
    auto* top_k = processor.parameters().getParameter ("top_k");
    processor.set_model ("tone");
    top_k->setValueNotifyingHost (top_k->convertTo0to1 (99.0f));
    processor.set_model ("soft tone");
    CHECK (value ("temperature") == Approx (0.5f));
    CHECK (value ("top_k") == 99.0f);
    CHECK (value ("guidance_style") == 3.0f);
    processor.set_model ("tone");
    CHECK (value ("temperature") == Approx (0.1f));
    processor.set_model ("soft tone");
    processor.load_preset (plugin::factory_presets().front());
    processor.setRateAndBufferSizeDetails (48000.0, block);
    processor.prepareToPlay (48000.0, block);
    processor.load_preset (plugin::factory_presets().front());
    CHECK (value ("temperature") == Approx (0.5f)); // what a preset leaves open is the model's own
}
