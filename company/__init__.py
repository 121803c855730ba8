"""SunWise Home: what a company builds that gets its customers' energy data from their utilities.

An example to read and to copy, about ten minutes long. It leans on nothing of the server it speaks to: what it knows of
it stands in the standards (OAuth 2.0, ESPI, Standard Webhooks) and in the README beside this file.

    settings     where things lie             oauth        from "connect" to tokens, and new ones in time
    utilities    whom we are registered with  scope        what we ask for, and what we were given
    store        what we keep                 feed         reading a Green Button feed
    notices      hearing what changed         homes        fetching a customer's data, and the end of it
    chart        a picture of days            pages, app   what people see
"""
