// SPDX-License-Identifier: GPL-3.0-or-later
#include "header.hpp"

#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int mark_width = 150;

} // namespace

Header::Header (Processor& processor, const juce::StringArray& pages)
    : processor_ (processor),
      pages_ ("Page", pages,
              {"Styles, surface and sound.", "Factory presets and your own.",
               "Styles and continuations from sound.", "Points to return to, and what was played.",
               "Latency, server, folders."})
{
    previous_.onClick = [this]
    {
        step_preset (-1);
    };
    next_.onClick = [this]
    {
        step_preset (1);
    };
    preset_.onClick = [this]
    {
        offer_presets();
    };
    describe (preset_, "Preset", "All presets, by family.");
    describe (model_, "Model",
              "What plays. Another one is loaded while this one plays on, and then takes over.");
    model_.setTextWhenNothingSelected ("no model");
    model_.onChange = [this]
    {
        choose_model();
    };
    pages_.on_choose = [this] (int page)
    {
        if (on_page)
            on_page (page);
    };
    for (auto* child :
         std::initializer_list<juce::Component*>{&previous_, &preset_, &next_, &model_, &pages_})
        addAndMakeVisible (child);
    refresh();
}

void Header::show_page (int page)
{
    pages_.choose (page);
}

void Header::refresh()
{
    const auto session = processor_.session();
    const auto name = session.preset.empty() ? factory_presets()[static_cast<size_t> (session.program)].name
                                             : juce::String::fromUTF8 (session.preset.c_str());
    preset_.setButtonText (name);
    fill_models();
}

// The models that are here, and the song's own if it is not.
void Header::fill_models()
{
    const auto config = link::load_engine_config();
    juce::StringArray known;
    for (const auto& model : config.models)
        known.add (juce::String::fromUTF8 (model.name.c_str()));
    auto current = juce::String::fromUTF8 (processor_.session().model.c_str());
    if (current.isEmpty())
        current = juce::String::fromUTF8 (config.default_model.c_str());
    auto models = known;
    if (current.isNotEmpty())
        models.addIfNotAlreadyThere (current);
    if (models != models_ || known != known_)
    {
        models_ = models;
        known_ = known;
        model_.clear (juce::dontSendNotification);
        for (int i = 0; i < models_.size(); ++i)
            model_.addItem (known_.contains (models_[i]) ? models_[i] : models_[i] + " (missing)", i + 1);
    }
    model_.setSelectedId (models_.indexOf (current) + 1, juce::dontSendNotification);
    model_.setColour (juce::ComboBox::textColourId, known_.contains (current) ? theme::text : theme::warning);
}

void Header::choose_model()
{
    if (const int chosen = model_.getSelectedId() - 1; juce::isPositiveAndBelow (chosen, models_.size()))
        processor_.set_model (models_[chosen].toStdString());
}

void Header::offer_presets()
{
    juce::PopupMenu menu;
    juce::PopupMenu group;
    juce::String group_name;
    const auto& factory = factory_presets();
    for (const auto& preset : factory)
    {
        if (preset.group != group_name && group_name.isNotEmpty())
        {
            menu.addSubMenu (group_name, group);
            group.clear();
        }
        group_name = preset.group;
        group.addItem (preset.name, [this, &preset] { processor_.load_preset (preset); });
    }
    menu.addSubMenu (group_name, group);
    menu.addSeparator();
    juce::PopupMenu own;
    for (const auto& name : library_.names())
        own.addItem (name,
                     [this, name]
                     {
                         if (const auto preset = library_.load (name))
                             processor_.load_preset (*preset);
                     });
    menu.addSubMenu ("Yours", own, own.getNumItems() > 0);
    menu.setLookAndFeel (&getLookAndFeel());
    menu.showMenuAsync (
        juce::PopupMenu::Options().withTargetComponent (preset_).withParentComponent (getParentComponent()));
}

// Through the factory's and then the user's own, round and round.
void Header::step_preset (int by)
{
    const auto& factory = factory_presets();
    const auto own = library_.names();
    const auto session = processor_.session();
    int at = session.program;
    if (const int found = own.indexOf (juce::String::fromUTF8 (session.preset.c_str())); found >= 0)
        at = static_cast<int> (factory.size()) + found;
    const int count = static_cast<int> (factory.size()) + own.size();
    const int next = (at + by + count) % count;
    if (next < static_cast<int> (factory.size()))
        processor_.load_preset (factory[static_cast<size_t> (next)]);
    else if (const auto preset = library_.load (own[next - static_cast<int> (factory.size())]))
        processor_.load_preset (*preset);
    refresh();
}

void Header::paint (juce::Graphics& g)
{
    // Three voices of one band.
    const float heights[] = {12.0f, 22.0f, 16.0f};
    auto x = 0.0f;
    for (const float height : heights)
    {
        g.setColour (theme::accent);
        g.fillRoundedRectangle (
            juce::Rectangle<float> (x, (static_cast<float> (getHeight()) - height) / 2.0f, 5.0f, height),
            2.5f);
        x += 8.0f;
    }
    g.setColour (theme::text);
    g.setFont (theme::font (19.0f, true));
    g.drawText ("Bandmate", getLocalBounds().withTrimmedLeft (32).withWidth (mark_width),
                juce::Justification::centredLeft);
}

void Header::resized()
{
    auto area = getLocalBounds();
    area.removeFromLeft (mark_width);
    const auto row = [] (juce::Rectangle<int> part)
    {
        return part.withSizeKeepingCentre (part.getWidth(), 32);
    };
    pages_.setBounds (row (area.removeFromRight (440)));
    area.removeFromRight (16);
    model_.setBounds (row (area.removeFromRight (170)));
    area.removeFromRight (12);
    previous_.setBounds (row (area.removeFromLeft (28)));
    next_.setBounds (row (area.removeFromRight (28)));
    preset_.setBounds (row (area.reduced (3, 0)));
}

} // namespace bandmate::plugin
