// SPDX-License-Identifier: GPL-3.0-or-later
#include "controls.hpp"

#include "../parameters.hpp"

namespace bandmate::plugin
{

std::unique_ptr<juce::TextButton> make_button (const juce::String& text, const juce::String& help,
                                               std::function<void()> on_click)
{
    auto button = std::make_unique<juce::TextButton> (text);
    describe (*button, text, help);
    button->onClick = std::move (on_click);
    return button;
}

ParameterSwitch::ParameterSwitch (ParameterTree& tree, const juce::String& id, const juce::String& text)
    : attachment_ (tree, id, *this)
{
    const auto name = tree.getParameter (id)->getName (64);
    setButtonText (text.isEmpty() ? name : text);
    describe (*this, name, parameter_help (id));
}

IconButton::IconButton (Icon icon, const juce::String& title, const juce::String& help)
    : Button (title), icon_ (icon)
{
    describe (*this, title, help);
}

void IconButton::paintButton (juce::Graphics& g, bool is_over, bool is_down)
{
    const auto area = getLocalBounds().toFloat();
    if (is_over || is_down)
    {
        g.setColour (is_down ? theme::raised.darker (0.2f) : theme::hovered);
        g.fillRoundedRectangle (area, theme::small_corner);
    }
    if (hasKeyboardFocus (true))
        theme::draw_focus (g, area, theme::small_corner);

    juce::Path path;
    const auto centre = area.getCentre();
    const auto at = [&centre] (float x, float y)
    {
        return centre.translated (x, y);
    };
    switch (icon_)
    {
    case Icon::previous:
        path.startNewSubPath (at (2.5f, -5.0f));
        path.lineTo (at (-2.5f, 0.0f));
        path.lineTo (at (2.5f, 5.0f));
        break;
    case Icon::next:
        path.startNewSubPath (at (-2.5f, -5.0f));
        path.lineTo (at (2.5f, 0.0f));
        path.lineTo (at (-2.5f, 5.0f));
        break;
    case Icon::close:
        path.startNewSubPath (at (-4.0f, -4.0f));
        path.lineTo (at (4.0f, 4.0f));
        path.startNewSubPath (at (4.0f, -4.0f));
        path.lineTo (at (-4.0f, 4.0f));
        break;
    case Icon::menu:
        for (const float y : {-4.0f, 0.0f, 4.0f})
        {
            path.startNewSubPath (at (-5.5f, y));
            path.lineTo (at (5.5f, y));
        }
        break;
    case Icon::restart:
        path.addCentredArc (centre.x, centre.y, 6.0f, 6.0f, 0.0f, 0.9f, 5.9f, true);
        path.startNewSubPath (at (-4.5f, -8.0f));
        path.lineTo (at (-1.4f, -5.6f));
        path.lineTo (at (-4.2f, -2.6f));
        break;
    case Icon::save:
        path.startNewSubPath (at (0.0f, -6.5f));
        path.lineTo (at (0.0f, 2.5f));
        path.startNewSubPath (at (-3.5f, -1.0f));
        path.lineTo (at (0.0f, 2.5f));
        path.lineTo (at (3.5f, -1.0f));
        path.startNewSubPath (at (-6.0f, 2.5f));
        path.lineTo (at (-6.0f, 6.0f));
        path.lineTo (at (6.0f, 6.0f));
        path.lineTo (at (6.0f, 2.5f));
        break;
    }
    g.setColour (isEnabled() ? (is_over ? theme::text : theme::dim) : theme::outline);
    g.strokePath (path,
                  juce::PathStrokeType (1.7f, juce::PathStrokeType::curved, juce::PathStrokeType::rounded));
}

Segments::Segments (const juce::String& title, const juce::StringArray& words, const juce::StringArray& helps)
{
    setTitle (title);
    setFocusContainerType (FocusContainerType::focusContainer);
    for (int i = 0; i < words.size(); ++i)
    {
        auto& button = *buttons_.emplace_back (make_button (words[i], helps[i], {}));
        button.setTitle (title + ": " + words[i]);
        button.setColour (juce::TextButton::buttonColourId, juce::Colours::transparentBlack);
        button.setColour (juce::TextButton::textColourOffId, theme::dim);
        button.onClick = [this, i]
        {
            choose (i);
            if (on_choose)
                on_choose (i);
        };
        addAndMakeVisible (button);
    }
}

void Segments::choose (int index)
{
    for (int i = 0; i < static_cast<int> (buttons_.size()); ++i)
        buttons_[static_cast<size_t> (i)]->setToggleState (i == index, juce::dontSendNotification);
}

void Segments::paint (juce::Graphics& g)
{
    g.setColour (theme::groove);
    g.fillRoundedRectangle (getLocalBounds().toFloat(), theme::small_corner + 2.0f);
}

void Segments::resized()
{
    // The room that is left over is shared out evenly: long words get more than short ones.
    const auto font = theme::font (theme::title_height);
    int words = 0;
    for (const auto& button : buttons_)
        words += font.getStringWidth (button->getButtonText());
    auto area = getLocalBounds().reduced (2);
    const int count = static_cast<int> (buttons_.size());
    const int room = (area.getWidth() - words) / count;
    for (const auto& button : buttons_)
        button->setBounds (button == buttons_.back()
                               ? area
                               : area.removeFromLeft (font.getStringWidth (button->getButtonText()) + room));
}

NameList::NameList (const juce::String& title, const juce::String& text_when_empty)
    : text_when_empty_ (text_when_empty)
{
    list_.setTitle (title);
    list_.setRowHeight (30);
    list_.setColour (juce::ListBox::outlineColourId, juce::Colours::transparentBlack);
    list_.getViewport()->setScrollBarThickness (10);
    addAndMakeVisible (list_);
}

void NameList::set (const juce::StringArray& names, const juce::String& marked)
{
    if (names == names_ && marked == marked_)
        return;
    const auto kept = selected();
    names_ = names;
    marked_ = marked;
    list_.updateContent();
    const int row = names_.indexOf (kept);
    if (row >= 0)
        list_.selectRow (row, true);
    else
        list_.deselectAllRows();
    repaint();
}

juce::String NameList::selected() const
{
    return names_[list_.getSelectedRow()];
}

void NameList::resized()
{
    list_.setBounds (getLocalBounds().reduced (1));
}

void NameList::paintOverChildren (juce::Graphics& g)
{
    const auto area = getLocalBounds().toFloat();
    if (list_.hasKeyboardFocus (true))
        theme::draw_focus (g, area, theme::small_corner);
    if (!names_.isEmpty())
        return;
    g.setColour (theme::dim);
    g.setFont (theme::font (theme::title_height));
    g.drawFittedText (text_when_empty_, getLocalBounds().reduced (20), juce::Justification::centred, 4);
}

void NameList::paintListBoxItem (int row, juce::Graphics& g, int width, int height, bool is_selected)
{
    auto area = juce::Rectangle<int> (width, height).reduced (4, 1);
    if (is_selected)
    {
        g.setColour (theme::hovered);
        g.fillRoundedRectangle (area.toFloat(), theme::small_corner);
    }
    const bool is_marked = marked_.isNotEmpty() && names_[row] == marked_;
    if (is_marked)
    {
        g.setColour (theme::accent);
        g.fillEllipse (area.removeFromRight (26).toFloat().withSizeKeepingCentre (8.0f, 8.0f));
    }
    g.setColour (is_marked ? theme::accent : theme::text);
    g.setFont (theme::font (theme::text_height));
    g.drawText (names_[row], area.reduced (10, 0), juce::Justification::centredLeft);
}

void NameList::selectedRowsChanged (int)
{
    if (on_select)
        on_select();
}

void NameList::open (int row)
{
    if (on_open && juce::isPositiveAndBelow (row, names_.size()))
        on_open (names_[row]);
}

} // namespace bandmate::plugin
