// SPDX-License-Identifier: GPL-3.0-or-later
// What the plugin adds to the stream: surface, presets, keyboard, output. Pure parts first, then the
// processor.
#include "catch.hpp"
#include "host_fixture.hpp"

#include <soft_limiter.hpp>

#include <audio_guard.hpp>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

using namespace bandmate;
using namespace bandmate::plugin;
using tests::Host;
using tests::ServerFixture;

namespace
{

double sum (const StyleWeights& weights)
{
    return std::accumulate (weights.begin(), weights.end(), 0.0);
}

// A folder of its own, gone afterwards.
struct PresetFolder
{
    juce::File folder = juce::File::createTempFile ("presets");
    PresetLibrary library{folder};
    ~PresetFolder() { folder.deleteRecursively(); }
};

} // namespace

TEST_CASE ("Surface weights are inverse squared distances, together 1")
{
    SurfacePoints points;
    points.fill ({0.0f, 0.0f});
    points[0] = {0.0f, 0.5f};
    points[1] = {1.0f, 0.5f};
    const SlotFlags two{true, true};
    const auto middle = surface_weights (points, two, {0.5f, 0.5f});
    CHECK (middle[0] == 0.5);
    CHECK (middle[1] == 0.5);
    const auto near = surface_weights (points, two, {0.25f, 0.5f});
    CHECK (near[0] == Approx (9.0 * near[1])); // three times as near
    CHECK (sum (near) == Approx (1.0));
    CHECK (surface_weights (points, two, {0.0f, 0.5f})[0] > 0.999);
    CHECK (surface_weights (points, {false, true}, {0.0f, 0.5f})[1] == 1.0);
    CHECK (sum (surface_weights (points, {}, {0.5f, 0.5f})) == 0.0);

    std::mt19937 random (1);
    std::uniform_real_distribution<float> place (0.0f, 1.0f);
    for (int i = 0; i < 10000; ++i)
    {
        for (auto& point : points)
            point = i % 3 == 0 ? SurfacePoint{0.5f, 0.5f} : SurfacePoint{place (random), place (random)};
        const auto weights = surface_weights (points, {true, true, true, true, true, true},
                                              i % 2 == 0 ? points[0] : SurfacePoint{place (random), 0.5f});
        REQUIRE (sum (weights) == Approx (1.0));
        for (const auto weight : weights)
            REQUIRE ((weight >= 0.0 && weight <= 1.0));
    }
}

TEST_CASE ("The limiter leaves what is below -1 dBFS alone and lets nothing over full scale through")
{
    float before = -std::numeric_limits<float>::infinity();
    for (int i = -400000; i <= 400000; ++i)
    {
        const float x = static_cast<float> (i) * 1e-5f;
        const float y = soft_limit (x);
        REQUIRE (std::abs (y) <= 1.0f);
        REQUIRE (y >= before); // louder in, not softer out
        if (std::abs (x) <= 0.891f)
            REQUIRE (y == x);
        before = y;
    }
    CHECK (soft_limit (1e30f) == 1.0f);
    CHECK (soft_limit (-std::numeric_limits<float>::infinity()) == -1.0f);
    CHECK (soft_limit (std::nanf ("")) == 0.0f);
}

TEST_CASE ("Presets go round as text, and files that are none are refused")
{
    PresetFolder place;
    Preset preset;
    preset.name = juce::String::fromUTF8 ("Nacht / ♪ <leise>");
    preset.session.prompts = {"one \"two\" & <three>", "", u8"späte Nacht"};
    preset.session.sounds[1] = {"c291bmQ=", "kick.wav"};
    preset.session.points[2] = {0.125f, 0.75f};
    preset.parameters = {{"temperature", 0.75f}, {"surface", 1.0f}};
    REQUIRE (place.library.save (preset));
    REQUIRE (place.library.names().size() == 1);
    const auto read = place.library.load (place.library.names()[0]);
    REQUIRE (read);
    CHECK (read->session.prompts == preset.session.prompts);
    CHECK (read->session.sounds == preset.session.sounds);
    CHECK (read->session.points == preset.session.points);
    CHECK (read->parameters == preset.parameters);

    for (const auto* text : {"", "<bandmate/>", "<bandmate_preset", "no XML at all"})
    {
        place.folder.getChildFile ("broken.bandmate").replaceWithText (text);
        CHECK_FALSE (place.library.load ("broken"));
    }
    CHECK_FALSE (place.library.load ("../../outside"));
    CHECK (place.library.remove ("broken"));
    CHECK (place.library.names().size() == 1);
    CHECK (PresetLibrary::legal_name (" / ").isEmpty());
}

TEST_CASE ("Factory presets name parameters that exist, with values in their range")
{
    juce::ScopedJuceInitialiser_GUI juce;
    Processor processor;
    CHECK (factory_presets().size() >= 16);
    juce::StringArray names;
    for (const auto& preset : factory_presets())
    {
        CAPTURE (preset.name.toStdString());
        CHECK_FALSE (names.contains (preset.name));
        names.add (preset.name);
        CHECK_FALSE (preset.session.prompts[0].empty());
        for (const auto& [id, value] : preset.parameters)
        {
            CAPTURE (id.toStdString());
            auto* parameter = processor.parameters().getParameter (id);
            REQUIRE (parameter != nullptr);
            CHECK (is_preset_parameter (id));
            CHECK (parameter->convertFrom0to1 (parameter->convertTo0to1 (value)) == Approx (value));
        }
    }
}

TEST_CASE ("The first preset is what a new instance plays; presets set the sound and leave the track alone")
{
    juce::ScopedJuceInitialiser_GUI juce;
    Processor processor, fresh;
    auto value = [&processor] (const char* id)
    {
        return processor.parameters().getParameter (id)->getValue();
    };
    processor.parameters().getParameter ("volume")->setValueNotifyingHost (0.25f);
    processor.parameters().getParameter ("seed")->setValueNotifyingHost (0.5f);
    for (const auto& preset : factory_presets())
    {
        processor.load_preset (preset);
        CHECK (processor.session().preset == preset.name.toStdString());
        CHECK (processor.session().prompts == preset.session.prompts);
        CHECK (value ("volume") == 0.25f);
        CHECK (value ("seed") == Approx (0.5f).margin (0.001));
    }
    processor.load_preset (factory_presets().front());
    CHECK (processor.session().prompts == fresh.session().prompts);
    for (auto* parameter : processor.parameters().processor.getParameters())
        if (auto* ranged = dynamic_cast<juce::RangedAudioParameter*> (parameter);
            ranged != nullptr && is_preset_parameter (ranged->getParameterID()))
            CHECK (ranged->getValue() == ranged->getDefaultValue());
    CHECK (processor.getNumPrograms() == 1); // hosts would set them after a song's state, and in a block
}

TEST_CASE ("A preset that is saved and loaded brings the sound back")
{
    juce::ScopedJuceInitialiser_GUI juce;
    Processor first, second;
    first.load_preset (factory_presets()[factory_presets().size() - 2]);
    first.set_point (1, {0.9f, 0.1f});
    first.parameters().getParameter ("temperature")->setValueNotifyingHost (0.6f);
    const auto text = preset_to_text (first.make_preset ("mine"));
    const auto preset = preset_from_text (text);
    REQUIRE (preset);
    second.load_preset (*preset);
    CHECK (second.session().prompts == first.session().prompts);
    CHECK (second.session().points == first.session().points);
    CHECK (second.session().preset == "mine");
    for (auto* parameter : first.getParameters())
        if (auto* ranged = dynamic_cast<juce::RangedAudioParameter*> (parameter);
            ranged != nullptr && is_preset_parameter (ranged->getParameterID()))
            CHECK (second.parameters().getParameter (ranged->getParameterID())->getValue() ==
                   Approx (ranged->getValue()));
}

TEST_CASE ("A state without the newer parameters sets them to their defaults")
{
    juce::ScopedJuceInitialiser_GUI juce;
    Processor old, now;
    juce::MemoryBlock block;
    old.getStateInformation (block);
    auto state = load_state (block.getData(), static_cast<int> (block.getSize()));
    for (const auto* id : {"surface", "limiter", "cursor_x", "style_mute_2", "bypass"})
        state->parameters.removeChild (state->parameters.getChildWithProperty ("id", id), nullptr);
    state->parameters.getChildWithProperty ("id", "volume").setProperty ("value", "nan", nullptr);
    block = save_state (state->session, state->parameters, {});
    for (auto* parameter : now.getParameters())
        parameter->setValueNotifyingHost (0.9f);
    now.setStateInformation (block.getData(), static_cast<int> (block.getSize()));
    for (const auto* id : {"surface", "limiter", "cursor_x", "style_mute_2", "bypass", "volume"})
    {
        const auto* parameter = now.parameters().getParameter (id);
        CAPTURE (id);
        CHECK (parameter->convertFrom0to1 (parameter->getValue()) ==
               parameter->convertFrom0to1 (parameter->getDefaultValue()));
    }
}

TEST_CASE ("Values are written as they are read")
{
    juce::ScopedJuceInitialiser_GUI juce;
    Processor processor;
    const auto text = [&processor] (const char* id, float value)
    {
        auto* parameter = processor.parameters().getParameter (id);
        return parameter->getText (parameter->convertTo0to1 (value), 32).toStdString();
    };
    CHECK (text ("style_weight_2", 0.455f) == "45.5 %");
    CHECK (text ("cursor_x", 0.25f) == "25.0 %");
    CHECK (text ("temperature", 1.3f) == "1.30");
    CHECK (text ("volume", -0.01f) == "0.0");
    CHECK (processor.parameters().getParameter ("volume")->getLabel() == "dB");
    for (auto* parameter : processor.getParameters())
        if (auto* ranged = dynamic_cast<juce::RangedAudioParameter*> (parameter))
            for (const float value : {0.0f, 0.31f, 0.77f, 1.0f})
            {
                const auto written = ranged->getText (value, 64);
                CAPTURE (ranged->getParameterID().toStdString(), written.toStdString());
                CHECK (ranged->getText (ranged->getValueForText (written), 64) == written);
            }
}

TEST_CASE ("The surface's weights are what is heard when it is on, the sliders' when it is off")
{
    ServerFixture server;
    Host host;
    REQUIRE (host.becomes_ready()); // a server half started would be the next test's
    auto& processor = host.processor;
    processor.set_prompt (0, "left");
    processor.set_prompt (1, "right");
    processor.set_point (0, {0.2f, 0.5f});
    processor.set_point (1, {0.8f, 0.5f});
    CHECK (processor.style_weights()[0] == 1.0);
    CHECK (processor.style_weights()[1] == 0.0);
    host.set ("surface", 1.0f);
    CHECK (processor.style_weights()[0] == Approx (0.5));
    host.set ("cursor_x", 0.8f);
    CHECK (processor.style_weights()[1] > 0.99);
    host.set ("style_mute_2", 1.0f);
    CHECK (processor.style_weights()[0] == 1.0);
    host.set ("surface", 0.0f);
    host.set ("style_mute_1", 1.0f);
    CHECK (sum (processor.style_weights()) == 0.0);
}

TEST_CASE ("Bypass is silence without a step, at the same latency, and the host knows it")
{
    ServerFixture server;
    Host host;
    REQUIRE (host.processor.getBypassParameter() == &host.parameter ("bypass"));
    host.processor.setNonRealtime (true);
    const auto latency = host.processor.getLatencySamples();
    std::vector<float> out;
    for (int block = 0; block < 60; ++block)
    {
        for (int i = 0; i < 512; ++i)
            host.midi.addEvent (juce::MidiMessage::noteOn (1, 60, juce::uint8 (127)), i);
        host.set ("bypass", block >= 20 && block < 40 ? 1.0f : 0.0f);
        const auto part = host.render (512, 512);
        out.insert (out.end(), part.begin(), part.end());
        CHECK (host.processor.getLatencySamples() == latency);
    }
    for (size_t i = static_cast<size_t> (latency) + 1; i < out.size(); ++i)
        REQUIRE (std::abs (out[i] - out[i - 1]) < 0.002f);
    CHECK (out[20 * 512 - 1] == 1.0f);
    CHECK (out[40 * 512 - 1] == 0.0f);
    CHECK (out.back() == 1.0f);
}

TEST_CASE ("With the limiter nothing passes full scale, and switching it makes no step")
{
    ServerFixture server;
    Host host;
    host.processor.setNonRealtime (true);
    host.set ("volume", 12.0f);
    std::vector<float> out;
    for (int block = 0; block < 60; ++block)
    {
        for (int i = 0; i < 512; ++i)
            host.midi.addEvent (juce::MidiMessage::noteOn (1, 60, juce::uint8 (127)), i);
        host.set ("limiter", block < 30 ? 1.0f : 0.0f);
        const auto part = host.render (512, 512);
        out.insert (out.end(), part.begin(), part.end());
    }
    const auto start = static_cast<size_t> (host.processor.getLatencySamples()) + 1024;
    for (size_t i = start; i < out.size(); ++i)
        REQUIRE (std::abs (out[i] - out[i - 1]) < 0.02f);
    for (size_t i = start; i < 30 * 512; ++i)
        REQUIRE (out[i] <= 1.0f);
    CHECK (out.back() == Approx (std::pow (10.0, 12.0 / 20.0)));
    CHECK (host.processor.meter().has_been_over());
    CHECK (host.processor.meter().read (0).peak > 3.0f);
    CHECK (host.processor.meter().read (0).rms > 3.0f);
}

TEST_CASE ("Notes of the editor's keyboard sound and end, and those of the host are shown")
{
    ServerFixture server;
    Host host;
    host.processor.setNonRealtime (true);
    auto& notes = host.processor.notes();
    bandmate_audio_guard_reset();
    notes.play ({60, 127});
    const auto out = host.render (20480, 512);
    CHECK (out[static_cast<size_t> (host.processor.getLatencySamples())] == 1.0f);
    for (int i = 0; i < 1000; ++i) // more than there is room for
        notes.play ({static_cast<uint8_t> (i % 128), static_cast<uint8_t> (i < 500 ? 100 : 0)});
    host.render (512, 512);
    bandmate_audio_guard_counts counts;
    bandmate_audio_guard_read (&counts);
    CHECK (counts.allocations == 0);
    CHECK (counts.locks == 0);

    CHECK_FALSE (notes.is_shown (64));
    host.midi.addEvent (juce::MidiMessage::noteOn (3, 64, juce::uint8 (90)), 5);
    host.render (512, 512);
    CHECK (notes.is_shown (64));
    CHECK (notes.is_shown (64)); // still held
    host.midi.addEvent (juce::MidiMessage::noteOff (3, 64), 5);
    host.render (512, 512);
    CHECK_FALSE (notes.is_shown (64));
    host.midi.addEvent (juce::MidiMessage::noteOn (3, 64, juce::uint8 (90)), 5); // a tap within a block
    host.midi.addEvent (juce::MidiMessage::noteOff (3, 64), 6);
    host.midi.addEvent (juce::MidiMessage::noteOn (5, 40, juce::uint8 (90)), 5);
    host.render (512, 512);
    CHECK (notes.is_shown (64));
    CHECK_FALSE (notes.is_shown (64));
    host.playhead.is_playing = true;
    host.render (512, 512);
    host.playhead.is_playing = false;
    host.render (512, 512);
    CHECK (notes.is_shown (40)); // it was struck
    CHECK_FALSE (notes.is_shown (40));
}

TEST_CASE ("No note of the keyboard hangs, even if its end found no room")
{
    NoteExchange notes;
    std::array<bool, 128> held{};
    const auto take = [&]
    {
        notes.take ([&held] (NoteExchange::Note note) { held[note.pitch] = note.velocity > 0; });
    };
    notes.play ({60, 100});
    take();
    REQUIRE (held[60]);
    for (int i = 0; i < 300; ++i)
        notes.play ({62, 100});
    notes.play ({60, 0}); // no room
    take();
    CHECK (std::count (held.begin(), held.end(), true) == 0);
}
