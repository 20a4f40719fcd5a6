// SPDX-License-Identifier: GPL-3.0-or-later
#include "knob.hpp"

#include "../parameters.hpp"

namespace bandmate::plugin
{

bool Knob::Dial::keyPressed (const juce::KeyPress& key)
{
    if (key == juce::KeyPress::returnKey)
    {
        showTextBox();
        return true;
    }
    return Slider::keyPressed (key);
}

Knob::Knob (ParameterTree& tree, const juce::String& id, const juce::String& name)
    : name_ (name.isEmpty() ? tree.getParameter (id)->getName (64) : name), attachment_ (tree, id, dial_)
{
    const auto& parameter = *tree.getParameter (id);
    dial_.setSliderStyle (juce::Slider::RotaryHorizontalVerticalDrag);
    dial_.setTextBoxStyle (juce::Slider::TextBoxBelow, false, 84, 18);
    dial_.setDoubleClickReturnValue (true, parameter.convertFrom0to1 (parameter.getDefaultValue()));
    dial_.setWantsKeyboardFocus (true);
    describe (dial_, parameter.getName (64), parameter_help (id));
    addAndMakeVisible (dial_);
}

void Knob::set_text (std::function<juce::String (double)> text)
{
    dial_.textFromValueFunction = std::move (text);
    dial_.updateText();
}

void Knob::paint (juce::Graphics& g)
{
    g.setColour (theme::dim);
    g.setFont (theme::font (theme::small_height));
    g.drawFittedText (name_, getLocalBounds().removeFromTop (18), juce::Justification::centred, 1, 0.85f);
}

void Knob::resized()
{
    dial_.setBounds (getLocalBounds().withTrimmedTop (20));
}

} // namespace bandmate::plugin
