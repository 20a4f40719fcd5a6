// SPDX-License-Identifier: GPL-3.0-or-later
#include "play_page.hpp"

#include "../parameters.hpp"
#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
{

using Id = protocol::ParameterId;

constexpr int right_width = 372;
constexpr int upper_height = 306;
constexpr int row_height = 42;
constexpr int all_pitches = 127;

} // namespace

PlayPage::PlayPage (Processor& processor)
    : processor_ (processor), company_ ("Company", {"Solo", "Accompany"},
                                        {"Nothing sounds but what you play: Unmask Width 127.",
                                         "The model adds what it likes to what you play: Unmask Width 0."}),
      restart_ (Icon::restart, "Restart", "Begins anew now, from the armed bank if there is one."),
      surface_ (processor),
      timing_ ("Timing", {"Tight", "Early"},
               {"A note begins where it is played.", "A note begins with the frame it is played in."}),
      timing_attachment_ (*processor.parameters().getParameter (parameter_id::of (Id::timing)),
                          [this] (float value) { timing_.choose (juce::roundToInt (value)); }),
      width_attachment_ (*processor.parameters().getParameter (parameter_id::of (Id::unmask_width)),
                         [this] (float value)
                         {
                             const int width = juce::roundToInt (value);
                             company_.choose (width == all_pitches ? 0 : width == 0 ? 1 : -1);
                         }),
      volume_ (processor.parameters(), parameter_id::volume), level_ (processor.meter())
{
    auto& tree = processor.parameters();
    for (int slot = 0; slot < static_cast<int> (protocol::style_slots); ++slot)
        addAndMakeVisible (*rows_.emplace_back (std::make_unique<PromptRow> (processor, slot)));
    restart_.onClick = [this]
    {
        processor_.reset_to_bank();
    };
    company_.on_choose = [this] (int index)
    {
        width_attachment_.setValueAsCompleteGesture (index == 0 ? static_cast<float> (all_pitches) : 0.0f);
    };
    addAndMakeVisible (company_);
    addAndMakeVisible (restart_);
    addAndMakeVisible (surface_);

    for (const auto& [id, name] :
         {std::pair{Id::temperature, "Temperature"}, std::pair{Id::top_k, "Top K"},
          std::pair{Id::guidance_style, "Style guide"}, std::pair{Id::guidance_notes, "Note guide"},
          std::pair{Id::guidance_drums, "Drum guide"}, std::pair{Id::unmask_width, "Unmask width"},
          std::pair{Id::seed, "Seed"}})
        addAndMakeVisible (*knobs_.emplace_back (std::make_unique<Knob> (tree, parameter_id::of (id), name)));
    for (const auto& [id, name] :
         {std::pair{parameter_id::of (Id::drums), "Drums"}, std::pair{parameter_id::of (Id::strum), "Strum"},
          std::pair{parameter_id::of (Id::midi_gate), "MIDI gate"},
          std::pair{parameter_id::of (Id::logit_guidance), "Logit guide"},
          std::pair{parameter_id::restart_on_play, "Restart on play"}})
        addAndMakeVisible (
            *sound_switches_.emplace_back (std::make_unique<ParameterSwitch> (tree, id, name)));
    timing_.on_choose = [this] (int index)
    {
        timing_attachment_.setValueAsCompleteGesture (static_cast<float> (index));
    };
    addAndMakeVisible (timing_);

    volume_.set_text (
        [] (double db)
        {
            if (db <= double{volume_minimum_db})
                return juce::String (juce::CharPointer_UTF8 ("-\xe2\x88\x9e dB"));
            return juce::String (db, 1) + " dB";
        });
    addAndMakeVisible (volume_);
    addAndMakeVisible (level_);
    for (const auto& id : {parameter_id::mute, parameter_id::limiter, parameter_id::bypass})
        addAndMakeVisible (*output_switches_.emplace_back (std::make_unique<ParameterSwitch> (tree, id)));
    timing_attachment_.sendInitialUpdate();
    width_attachment_.sendInitialUpdate();
    refresh();
}

void PlayPage::refresh()
{
    const auto session = processor_.session();
    const auto weights = processor_.style_weights();
    const bool by_surface =
        processor_.parameters().getRawParameterValue (parameter_id::surface)->load() > 0.5f;
    double total = 0.0;
    for (size_t slot = 0; slot < weights.size(); ++slot)
        total += session.is_filled (slot) ? weights[slot] : 0.0;
    for (size_t slot = 0; slot < rows_.size(); ++slot)
    {
        const bool counts = session.is_filled (slot) && total > 0.0;
        rows_[slot]->show (session, counts ? weights[slot] / total : 0.0, by_surface);
    }
    surface_.show (session, weights);
}

void PlayPage::refresh_meter()
{
    level_.refresh();
}

juce::Rectangle<int> PlayPage::styles_area() const
{
    return getLocalBounds().withTrimmedRight (right_width + theme::gap).removeFromTop (upper_height);
}

juce::Rectangle<int> PlayPage::sound_area() const
{
    return getLocalBounds()
        .withTrimmedRight (right_width + theme::gap)
        .withTrimmedTop (upper_height + theme::gap);
}

juce::Rectangle<int> PlayPage::output_area() const
{
    return getLocalBounds().removeFromRight (right_width).withTrimmedTop (upper_height + theme::gap);
}

void PlayPage::paint (juce::Graphics& g)
{
    theme::draw_card (g, styles_area(), "STYLES");
    theme::draw_card (g, sound_area(), {});
    theme::draw_card (g, output_area(), {});
}

void PlayPage::resized()
{
    auto styles = styles_area();
    auto header = styles.removeFromTop (40).reduced (14, 6);
    restart_.setBounds (header.removeFromRight (28));
    header.removeFromRight (8);
    company_.setBounds (header.removeFromRight (180));
    styles = styles.reduced (14, 0);
    for (auto& row : rows_)
        row->setBounds (styles.removeFromTop (row_height));
    surface_.setBounds (getLocalBounds().removeFromRight (right_width).removeFromTop (upper_height));

    auto sound = sound_area().reduced (10, 10);
    auto switches = sound.removeFromBottom (32).reduced (6, 0);
    const int width = sound.getWidth() / static_cast<int> (knobs_.size());
    for (auto& knob : knobs_)
        knob->setBounds (sound.removeFromLeft (width));
    timing_.setBounds (switches.removeFromRight (118));
    const int widths[] = {82, 80, 102, 110, 136};
    for (size_t i = 0; i < sound_switches_.size(); ++i)
        sound_switches_[i]->setBounds (switches.removeFromLeft (widths[i]));

    auto output = output_area().reduced (14, 10);
    volume_.setBounds (output.removeFromLeft (96).withTrimmedBottom (32));
    auto below = output_area().reduced (16, 10).removeFromBottom (32);
    for (auto& output_switch : output_switches_)
        output_switch->setBounds (below.removeFromLeft (112));
    output.removeFromLeft (12);
    level_.setBounds (output.withTrimmedBottom (40).withSizeKeepingCentre (output.getWidth(), 58));
}

} // namespace bandmate::plugin
