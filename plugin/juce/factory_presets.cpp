// SPDX-License-Identifier: GPL-3.0-or-later
#include "presets.hpp"

#include "parameters.hpp"

namespace bandmate::plugin
{

namespace
{

using Id = protocol::ParameterId;
using Values = std::vector<std::pair<juce::String, float>>;

struct Place
{
    const char* text;
    float weight;
    SurfacePoint point;
};

Preset one_style (const char* group, const char* name, const char* text, Values values = {})
{
    Preset preset;
    preset.name = name;
    preset.group = group;
    preset.session.prompts = {text};
    preset.parameters = std::move (values);
    return preset;
}

// By the sliders, or by the surface with the cursor at `cursor`.
Preset blend (const char* name, const std::vector<Place>& places, Values values = {},
              std::optional<SurfacePoint> cursor = {})
{
    Preset preset;
    preset.name = name;
    preset.group = "Blends";
    preset.session.prompts = {};
    preset.parameters = std::move (values);
    for (size_t slot = 0; slot < places.size(); ++slot)
    {
        preset.session.prompts[slot] = places[slot].text;
        preset.session.points[slot] = places[slot].point;
        preset.parameters.emplace_back (parameter_id::style_weight (static_cast<int> (slot)),
                                        places[slot].weight);
    }
    if (cursor)
    {
        preset.parameters.emplace_back (parameter_id::surface, 1.0f);
        preset.parameters.emplace_back (parameter_id::cursor_x, cursor->x);
        preset.parameters.emplace_back (parameter_id::cursor_y, cursor->y);
    }
    return preset;
}

std::vector<Preset> make_factory_presets()
{
    const auto temperature = parameter_id::of (Id::temperature);
    const auto style = parameter_id::of (Id::guidance_style);
    const auto notes = parameter_id::of (Id::guidance_notes);
    const auto drum_guidance = parameter_id::of (Id::guidance_drums);
    const auto drums = parameter_id::of (Id::drums);
    const auto strum = parameter_id::of (Id::strum);
    const auto gate = parameter_id::of (Id::midi_gate);
    const auto width = parameter_id::of (Id::unmask_width);
    const SurfacePoint left{0.2f, 0.5f}, right{0.8f, 0.5f}, top{0.5f, 0.2f}, bottom_left{0.2f, 0.8f},
        bottom_right{0.8f, 0.8f}, top_left{0.2f, 0.2f}, top_right{0.8f, 0.2f}, middle{0.5f, 0.5f};

    // The first one is what a new instance plays.
    return {
        one_style ("Keys", "Warm Piano", "warm piano"),
        one_style ("Keys", "Concert Grand", "concert grand", {{drums, 0.0f}, {style, 4.0f}}),
        one_style ("Keys", "Soul Electric Piano", "neo soul electric piano", {{drums, 0.0f}}),
        one_style ("Keys", "Lofi Keys", "lofi keys", {{drums, 0.0f}, {temperature, 0.4f}}),
        one_style ("Keys", "Gospel Organ", "gospel organ", {{drums, 0.0f}, {notes, 1.6f}}),
        one_style ("Keys", "Cathedral", "cathedral organ", {{drums, 0.0f}}),
        one_style ("Keys", "Harpsichord", "harpsichord", {{drums, 0.0f}}),
        one_style ("Plucked", "Nylon Guitar", "nylon guitar", {{drums, 0.0f}}),
        one_style ("Plucked", "Strummed Folk", "strummed guitar",
                   {{drums, 0.0f}, {strum, 1.0f}, {temperature, 0.4f}}),
        one_style ("Plucked", "Clean Jazz Guitar", "jazz guitar", {{drums, 0.0f}}),
        one_style ("Plucked", "Harp", "concert harp", {{drums, 0.0f}}),
        one_style ("Mallets", "Vibraphone", "vibraphone", {{drums, 0.0f}}),
        one_style ("Mallets", "Marimba", "marimba", {{drums, 0.0f}}),
        one_style ("Mallets", "Music Box", "music box", {{drums, 0.0f}}),
        one_style ("Orchestra", "String Ensemble", "string ensemble", {{drums, 0.0f}}),
        one_style ("Orchestra", "Brass Section", "brass section", {{drums, 0.0f}, {notes, 1.6f}}),
        one_style ("Orchestra", "Flute Solo", "concert flute", {{drums, 0.0f}, {gate, 1.0f}}),
        one_style ("Orchestra", "Tenor Saxophone", "tenor saxophone", {{drums, 0.0f}, {gate, 1.0f}}),
        one_style ("Orchestra", "Choir", "choir aahs", {{drums, 0.0f}}),
        one_style ("Synth", "Saw Lead", "saw lead", {{drums, 0.0f}, {gate, 1.0f}}),
        one_style ("Synth", "Warm Pad", "warm pad", {{drums, 0.0f}}),
        one_style ("Rhythm", "Finger Bass", "fingered bass", {{drums, 0.0f}, {notes, 1.6f}}),
        one_style ("Rhythm", "Drum Kit", "drum kit", {{drum_guidance, 3.0f}, {notes, 1.6f}}),
        blend ("Piano and Strings", {{"grand piano", 1.0f, left}, {"slow strings", 0.6f, right}},
               {{drums, 0.0f}}),
        blend ("Keys to Pad", {{"electric piano", 1.0f, left}, {"warm pad", 0.5f, right}}, {{drums, 0.0f}},
               SurfacePoint{0.35f, 0.5f}),
        blend ("Orchestra Map",
               {{"string ensemble", 1.0f, top_left},
                {"brass section", 0.0f, top_right},
                {"concert flute", 0.0f, bottom_left},
                {"choir aahs", 0.0f, bottom_right},
                {"concert harp", 0.0f, middle}},
               {{drums, 0.0f}}, SurfacePoint{0.35f, 0.35f}),
        blend ("Jazz Trio Map",
               {{"jazz piano", 1.0f, top},
                {"upright bass", 0.0f, bottom_left},
                {"acoustic drums", 0.0f, bottom_right}},
               {{strum, 1.0f}}, SurfacePoint{0.5f, 0.42f}),
        blend ("Accompany Me", {{"grand piano", 1.0f, left}, {"string ensemble", 0.4f, right}},
               {{width, 0.0f}, {strum, 1.0f}, {temperature, 0.8f}}),
    };
}

} // namespace

const std::vector<Preset>& factory_presets()
{
    static const auto presets = make_factory_presets();
    return presets;
}

} // namespace bandmate::plugin
