import { mount } from 'svelte';
import './styles/tokens.css';
import './styles/base.css';
import './styles/tooltip.css';
import App from './App.svelte';
import { connect } from './api/connect.ts';
import Refused from './views/Refused.svelte';

const client = await connect();
const target = document.body;
if (typeof client === 'string') mount(Refused, { target, props: { refusal: client } });
else mount(App, { target, props: { client, view: new URLSearchParams(location.search).get('view') } });
