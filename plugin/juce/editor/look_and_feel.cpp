// SPDX-License-Identifier: GPL-3.0-or-later
#include "look_and_feel.hpp"

#include <bandmate_fonts.hpp>

namespace bandmate::plugin
{

namespace
{

constexpr int tooltip_width = 320;
constexpr int tooltip_margin = 10;

// Shared by all editors of the process, and gone with the last.
struct Typefaces
{
    juce::Typeface::Ptr regular = juce::Typeface::createSystemTypefaceFor (
        bandmate_fonts::InterRegular_otf, bandmate_fonts::InterRegular_otfSize);
    juce::Typeface::Ptr strong = juce::Typeface::createSystemTypefaceFor (
        bandmate_fonts::InterSemiBold_otf, bandmate_fonts::InterSemiBold_otfSize);
};

juce::Rectangle<float> area_of (const juce::Component& component)
{
    return component.getLocalBounds().toFloat();
}

void focus_ring (juce::Graphics& g, const juce::Component& component, juce::Rectangle<float> bounds,
                 float corner)
{
    if (component.hasKeyboardFocus (true))
        theme::draw_focus (g, bounds, corner);
}

} // namespace

juce::Font theme::font (float height, bool is_strong)
{
    const juce::SharedResourcePointer<Typefaces> typefaces;
    return juce::Font (is_strong ? typefaces->strong : typefaces->regular).withHeight (height);
}

void theme::draw_card (juce::Graphics& g, juce::Rectangle<int> bounds, const juce::String& title)
{
    g.setColour (panel);
    g.fillRoundedRectangle (bounds.toFloat(), corner);
    g.setColour (outline.withAlpha (0.55f));
    g.drawRoundedRectangle (bounds.toFloat().reduced (0.5f), corner, 1.0f);
    g.setColour (dim);
    g.setFont (font (title_height, true));
    g.drawText (title, bounds.reduced (14, 0).removeFromTop (36), juce::Justification::centredLeft);
}

juce::Rectangle<int> theme::inside_card (juce::Rectangle<int> bounds)
{
    return bounds.reduced (14, 12).withTrimmedTop (24);
}

void theme::draw_focus (juce::Graphics& g, juce::Rectangle<float> bounds, float corner)
{
    g.setColour (accent);
    g.drawRoundedRectangle (bounds.reduced (0.75f), corner, 1.5f);
}

struct LookAndFeel::Fonts
{
    juce::SharedResourcePointer<Typefaces> typefaces;
};

LookAndFeel::~LookAndFeel() = default;

LookAndFeel::LookAndFeel() : fonts_ (std::make_unique<Fonts>())
{
    using namespace theme;
    setColour (juce::ResizableWindow::backgroundColourId, background);
    setColour (juce::Label::textColourId, text);
    setColour (juce::TextEditor::textColourId, text);
    setColour (juce::TextEditor::backgroundColourId, groove);
    setColour (juce::TextEditor::highlightColourId, accent.withAlpha (0.35f));
    setColour (juce::TextEditor::highlightedTextColourId, text);
    setColour (juce::CaretComponent::caretColourId, accent);
    setColour (juce::TextButton::buttonColourId, raised);
    setColour (juce::TextButton::buttonOnColourId, accent);
    setColour (juce::TextButton::textColourOffId, text);
    setColour (juce::TextButton::textColourOnId, on_accent);
    setColour (juce::ToggleButton::textColourId, text);
    setColour (juce::ComboBox::textColourId, text);
    setColour (juce::ComboBox::backgroundColourId, raised);
    setColour (juce::PopupMenu::backgroundColourId, raised);
    setColour (juce::PopupMenu::textColourId, text);
    setColour (juce::PopupMenu::headerTextColourId, dim);
    setColour (juce::PopupMenu::highlightedBackgroundColourId, accent);
    setColour (juce::PopupMenu::highlightedTextColourId, on_accent);
    setColour (juce::ListBox::backgroundColourId, groove);
    setColour (juce::ScrollBar::thumbColourId, outline);
    setColour (juce::Slider::textBoxTextColourId, text);
    setColour (juce::Slider::textBoxOutlineColourId, juce::Colours::transparentBlack);
    setColour (juce::Slider::textBoxBackgroundColourId, juce::Colours::transparentBlack);
    setColour (juce::Label::outlineWhenEditingColourId, accent);
    setColour (juce::Label::backgroundWhenEditingColourId, groove);
    setColour (juce::Label::textWhenEditingColourId, text);
}

void LookAndFeel::drawRotarySlider (juce::Graphics& g, int x, int y, int width, int height, float position,
                                    float start_angle, float end_angle, juce::Slider& slider)
{
    const auto area = juce::Rectangle<int> (x, y, width, height).toFloat();
    const auto size = juce::jmin (area.getWidth(), area.getHeight()) - 4.0f;
    const auto dial = area.withSizeKeepingCentre (size, size);
    const auto centre = dial.getCentre();
    const auto angle = start_angle + position * (end_angle - start_angle);
    const auto radius = size / 2.0f - 2.0f;
    const juce::PathStrokeType stroke (3.5f, juce::PathStrokeType::curved, juce::PathStrokeType::rounded);
    const auto arc = [&] (float from, float to, juce::Colour colour)
    {
        juce::Path path;
        path.addCentredArc (centre.x, centre.y, radius, radius, 0.0f, from, to, true);
        g.setColour (colour);
        g.strokePath (path, stroke);
    };
    arc (start_angle, end_angle, theme::groove);
    const auto colour = slider.isEnabled() ? theme::accent : theme::outline;
    arc (start_angle, angle, colour);

    const auto body = dial.reduced (8.0f);
    g.setGradientFill (juce::ColourGradient (
        slider.isMouseOverOrDragging() ? theme::hovered.brighter (0.06f) : theme::hovered, body.getX(),
        body.getY(), theme::raised.darker (0.12f), body.getX(), body.getBottom(), false));
    g.fillEllipse (body);
    g.setColour (theme::outline);
    g.drawEllipse (body.reduced (0.5f), 1.0f);
    juce::Path pointer;
    pointer.addRoundedRectangle (-1.5f, -body.getHeight() / 2.0f + 4.0f, 3.0f, body.getHeight() * 0.28f,
                                 1.5f);
    g.setColour (theme::text);
    g.fillPath (pointer, juce::AffineTransform::rotation (angle).translated (centre));
    if (slider.hasKeyboardFocus (true))
    {
        g.setColour (theme::accent);
        g.drawEllipse (dial.expanded (1.0f), 1.5f);
    }
}

void LookAndFeel::drawLinearSlider (juce::Graphics& g, int x, int y, int width, int height, float position,
                                    float, float, juce::Slider::SliderStyle, juce::Slider& slider)
{
    const auto area = juce::Rectangle<int> (x, y, width, height).toFloat();
    const auto track = area.withSizeKeepingCentre (area.getWidth(), 5.0f);
    const bool is_live = slider.isEnabled();
    g.setColour (theme::groove);
    g.fillRoundedRectangle (track, 2.5f);
    g.setColour (is_live ? theme::accent : theme::accent.withAlpha (0.45f));
    g.fillRoundedRectangle (track.withRight (position), 2.5f);
    if (!is_live)
        return;
    const auto thumb = juce::Rectangle<float> (14.0f, 14.0f).withCentre ({position, track.getCentreY()});
    g.setColour (slider.isMouseOverOrDragging() ? juce::Colours::white : theme::text);
    g.fillEllipse (thumb);
    if (slider.hasKeyboardFocus (true))
    {
        g.setColour (theme::accent);
        g.drawEllipse (thumb.expanded (2.5f), 1.5f);
    }
}

int LookAndFeel::getSliderThumbRadius (juce::Slider&)
{
    return 8;
}

juce::Label* LookAndFeel::createSliderTextBox (juce::Slider& slider)
{
    auto* label = LookAndFeel_V4::createSliderTextBox (slider);
    label->setFont (theme::font (theme::small_height));
    label->setMinimumHorizontalScale (1.0f);
    label->setBorderSize ({});
    label->setColour (juce::Label::outlineColourId, juce::Colours::transparentBlack);
    label->setColour (juce::Label::backgroundColourId, juce::Colours::transparentBlack);
    return label;
}

void LookAndFeel::drawButtonBackground (juce::Graphics& g, juce::Button& button, const juce::Colour& colour,
                                        bool is_over, bool is_down)
{
    const auto area = area_of (button);
    auto fill = colour;
    if (!button.isEnabled())
        fill = fill.withMultipliedAlpha (0.45f);
    else if (is_down)
        fill = fill.darker (0.2f);
    else if (is_over)
        fill = fill.brighter (0.09f);
    g.setColour (fill);
    g.fillRoundedRectangle (area, theme::small_corner);
    focus_ring (g, button, area, theme::small_corner);
}

void LookAndFeel::drawButtonText (juce::Graphics& g, juce::TextButton& button, bool, bool)
{
    const auto id =
        button.getToggleState() ? juce::TextButton::textColourOnId : juce::TextButton::textColourOffId;
    g.setColour (button.findColour (id).withMultipliedAlpha (button.isEnabled() ? 1.0f : 0.5f));
    g.setFont (getTextButtonFont (button, button.getHeight()));
    const bool is_left = button.getProperties().contains ("left");
    g.drawFittedText (button.getButtonText(), button.getLocalBounds().reduced (is_left ? 10 : 6, 0),
                      is_left ? juce::Justification::centredLeft : juce::Justification::centred, 1, 0.9f);
}

juce::Font LookAndFeel::getTextButtonFont (juce::TextButton&, int)
{
    return theme::font (theme::title_height);
}

void LookAndFeel::drawToggleButton (juce::Graphics& g, juce::ToggleButton& button, bool is_over, bool)
{
    auto area = area_of (button);
    const auto pill = area.removeFromLeft (34.0f).withSizeKeepingCentre (30.0f, 16.0f);
    const bool is_on = button.getToggleState();
    g.setColour (is_on ? theme::accent : is_over ? theme::hovered : theme::groove);
    g.fillRoundedRectangle (pill, 8.0f);
    g.setColour (is_on ? theme::accent : theme::outline);
    g.drawRoundedRectangle (pill.reduced (0.5f), 7.5f, 1.0f);
    g.setColour (is_on ? theme::on_accent : theme::dim);
    g.fillEllipse (
        juce::Rectangle<float> (10.0f, 10.0f)
            .withCentre ({is_on ? pill.getRight() - 8.0f : pill.getX() + 8.0f, pill.getCentreY()}));
    g.setColour (button.findColour (juce::ToggleButton::textColourId)
                     .withMultipliedAlpha (button.isEnabled() ? 1.0f : 0.5f));
    g.setFont (theme::font (theme::title_height));
    g.drawFittedText (button.getButtonText(), area.withTrimmedLeft (4.0f).toNearestInt(),
                      juce::Justification::centredLeft, 1, 0.9f);
    focus_ring (g, button, pill.expanded (2.5f), 10.0f);
}

void LookAndFeel::drawComboBox (juce::Graphics& g, int width, int height, bool, int, int, int, int,
                                juce::ComboBox& box)
{
    const auto area = juce::Rectangle<int> (width, height).toFloat();
    g.setColour (box.findColour (juce::ComboBox::backgroundColourId)
                     .brighter (box.isMouseOver (true) && box.isEnabled() ? 0.09f : 0.0f));
    g.fillRoundedRectangle (area, theme::small_corner);
    juce::Path arrow;
    const auto centre = juce::Point<float> (area.getRight() - 15.0f, area.getCentreY());
    arrow.startNewSubPath (centre.translated (-4.0f, -2.0f));
    arrow.lineTo (centre.translated (0.0f, 2.0f));
    arrow.lineTo (centre.translated (4.0f, -2.0f));
    g.setColour (theme::dim);
    g.strokePath (arrow, juce::PathStrokeType (1.6f));
    focus_ring (g, box, area, theme::small_corner);
}

juce::Font LookAndFeel::getComboBoxFont (juce::ComboBox&)
{
    return theme::font (theme::text_height);
}

void LookAndFeel::positionComboBoxText (juce::ComboBox& box, juce::Label& label)
{
    label.setBounds (8, 0, box.getWidth() - 32, box.getHeight());
    label.setFont (getComboBoxFont (box));
}

juce::PopupMenu::Options LookAndFeel::getOptionsForComboBoxPopupMenu (juce::ComboBox& box, juce::Label& label)
{
    // Inside the editor, so that the menu is scaled with it.
    auto* content = box.getTopLevelComponent();
    for (auto* parent = box.getParentComponent(); parent != nullptr; parent = parent->getParentComponent())
        if (parent->getComponentID() == "content")
            content = parent;
    return LookAndFeel_V4::getOptionsForComboBoxPopupMenu (box, label).withParentComponent (content);
}

juce::Font LookAndFeel::getPopupMenuFont()
{
    return theme::font (theme::text_height);
}

void LookAndFeel::drawPopupMenuBackground (juce::Graphics& g, int width, int height)
{
    g.fillAll (theme::raised);
    g.setColour (theme::outline);
    g.drawRect (0, 0, width, height);
}

void LookAndFeel::fillTextEditorBackground (juce::Graphics& g, int width, int height, juce::TextEditor&)
{
    g.setColour (theme::groove);
    g.fillRoundedRectangle (juce::Rectangle<int> (width, height).toFloat(), theme::small_corner);
}

void LookAndFeel::drawTextEditorOutline (juce::Graphics& g, int width, int height, juce::TextEditor& editor)
{
    const auto area = juce::Rectangle<int> (width, height).toFloat();
    if (editor.hasKeyboardFocus (true) && !editor.isReadOnly())
        return theme::draw_focus (g, area, theme::small_corner);
    g.setColour (theme::outline.withAlpha (editor.isMouseOver (true) ? 1.0f : 0.6f));
    g.drawRoundedRectangle (area.reduced (0.5f), theme::small_corner, 1.0f);
}

namespace
{

juce::TextLayout tooltip_layout (const juce::String& text)
{
    juce::AttributedString string;
    string.append (text, theme::font (theme::title_height), theme::text);
    string.setJustification (juce::Justification::topLeft);
    juce::TextLayout layout;
    layout.createLayoutWithBalancedLineLengths (string, static_cast<float> (tooltip_width));
    return layout;
}

} // namespace

juce::Rectangle<int> LookAndFeel::getTooltipBounds (const juce::String& tip, juce::Point<int> at,
                                                    juce::Rectangle<int> area)
{
    const auto layout = tooltip_layout (tip);
    const auto width = static_cast<int> (std::ceil (layout.getWidth())) + 2 * tooltip_margin;
    const auto height = static_cast<int> (std::ceil (layout.getHeight())) + 2 * tooltip_margin - 4;
    return juce::Rectangle<int> (at.x > area.getCentreX() ? at.x - width - 12 : at.x + 20,
                                 at.y > area.getCentreY() ? at.y - height - 6 : at.y + 6, width, height)
        .constrainedWithin (area);
}

void LookAndFeel::drawTooltip (juce::Graphics& g, const juce::String& text, int width, int height)
{
    g.fillAll (theme::raised);
    g.setColour (theme::outline.brighter (0.2f));
    g.drawRect (0, 0, width, height);
    tooltip_layout (text).draw (
        g, juce::Rectangle<int> (width, height).reduced (tooltip_margin, tooltip_margin - 2).toFloat());
}

void LookAndFeel::drawScrollbar (juce::Graphics& g, juce::ScrollBar&, int x, int y, int width, int height,
                                 bool is_vertical, int thumb_start, int thumb_size, bool is_over,
                                 bool is_down)
{
    const auto thumb = is_vertical ? juce::Rectangle<int> (x, thumb_start, width, thumb_size)
                                   : juce::Rectangle<int> (thumb_start, y, thumb_size, height);
    g.setColour (is_over || is_down ? theme::dim : theme::outline);
    g.fillRoundedRectangle (thumb.toFloat().reduced (2.0f), 3.0f);
}

} // namespace bandmate::plugin
