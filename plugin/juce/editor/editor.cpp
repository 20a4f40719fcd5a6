// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int margin = 14;
constexpr int row_height = 32;
constexpr int knob_height = 110;
constexpr int status_height = 64;
constexpr int refresh_hz = 10;

using Id = protocol::ParameterId;

} // namespace

struct Editor::Knob : juce::Component
{
    Knob (juce::AudioProcessorValueTreeState& tree, const juce::String& id) : attachment (tree, id, slider)
    {
        label.setText (tree.getParameter (id)->getName (32), juce::dontSendNotification);
        label.setJustificationType (juce::Justification::centred);
        slider.setTextBoxStyle (juce::Slider::TextBoxBelow, false, 72, 20);
        slider.setNumDecimalPlacesToDisplay (2);
        addAndMakeVisible (label);
        addAndMakeVisible (slider);
    }

    void resized() override
    {
        auto area = getLocalBounds();
        label.setBounds (area.removeFromTop (22));
        slider.setBounds (area);
    }

    juce::Label label;
    juce::Slider slider{juce::Slider::RotaryHorizontalVerticalDrag, juce::Slider::TextBoxBelow};
    juce::AudioProcessorValueTreeState::SliderAttachment attachment;
};

struct Editor::Toggle : juce::Component
{
    Toggle (juce::AudioProcessorValueTreeState& tree, const juce::String& id) : attachment (tree, id, button)
    {
        button.setButtonText (tree.getParameter (id)->getName (32));
        addAndMakeVisible (button);
    }

    void resized() override { button.setBounds (getLocalBounds()); }

    juce::ToggleButton button;
    juce::AudioProcessorValueTreeState::ButtonAttachment attachment;
};

Editor::Editor (Processor& processor) : AudioProcessorEditor (processor), processor_ (processor)
{
    auto& tree = processor.parameters();
    for (int slot = 0; slot < static_cast<int> (protocol::style_slots); ++slot)
    {
        auto& row = *prompts_.emplace_back (std::make_unique<PromptRow> (tree, slot));
        row.on_change = [this]
        {
            send_prompts();
        };
        addAndMakeVisible (row);
    }
    for (const auto id : {Id::temperature, Id::top_k, Id::guidance_style, Id::guidance_notes,
                          Id::guidance_drums, Id::unmask_width, Id::seed})
        addAndMakeVisible (*knobs_.emplace_back (std::make_unique<Knob> (tree, parameter_id::of (id))));
    addAndMakeVisible (*knobs_.emplace_back (std::make_unique<Knob> (tree, parameter_id::volume)));
    for (const auto& id :
         {parameter_id::of (Id::drums), parameter_id::of (Id::strum), parameter_id::of (Id::midi_gate),
          parameter_id::restart_on_play, parameter_id::mute})
        addAndMakeVisible (*toggles_.emplace_back (std::make_unique<Toggle> (tree, id)));
    addAndMakeVisible (status_);

    show_session();
    setResizable (true, true);
    setResizeLimits (560, 420, 1600, 1000);
    setSize (720, 480);
    startTimerHz (refresh_hz);
}

Editor::~Editor() = default;

void Editor::paint (juce::Graphics& g)
{
    g.fillAll (getLookAndFeel().findColour (juce::ResizableWindow::backgroundColourId));
}

void Editor::resized()
{
    auto area = getLocalBounds().reduced (margin);
    status_.setBounds (area.removeFromBottom (status_height));
    for (auto& row : prompts_)
        row->setBounds (area.removeFromTop (row_height));
    area.removeFromTop (margin);
    auto toggles = area.removeFromBottom (row_height);
    for (auto& toggle : toggles_)
        toggle->setBounds (
            toggles.removeFromLeft ((getWidth() - 2 * margin) / static_cast<int> (toggles_.size())));
    auto knobs = area.withHeight (juce::jmin (knob_height, area.getHeight()));
    for (auto& knob : knobs_)
        knob->setBounds (knobs.removeFromLeft ((getWidth() - 2 * margin) / static_cast<int> (knobs_.size())));
}

void Editor::timerCallback()
{
    show_session();
    status_.update (processor_);
}

void Editor::send_prompts()
{
    auto session = processor_.session();
    for (size_t slot = 0; slot < prompts_.size(); ++slot)
        session.prompts[slot] = prompts_[slot]->text().toStdString();
    if (!(session == processor_.session()))
        processor_.set_session (session);
}

void Editor::show_session()
{
    const auto session = processor_.session();
    for (size_t slot = 0; slot < prompts_.size(); ++slot)
        prompts_[slot]->show (juce::String::fromUTF8 (session.prompts[slot].c_str()));
}

} // namespace bandmate::plugin
